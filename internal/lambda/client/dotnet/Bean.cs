using System;
using System.Collections;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Text;

namespace Redoubt
{
    /// <summary>Turns parsed JSON into objects of the types a handler names, and back.</summary>
    static class Bean
    {
        const BindingFlags Members = BindingFlags.Public | BindingFlags.Instance | BindingFlags.IgnoreCase;

        public static object Read(object json, Type type)
        {
            Type bare = Nullable.GetUnderlyingType(type);
            if (json == null) return type.IsValueType && bare == null ? Activator.CreateInstance(type) : null;
            type = bare ?? type;
            if (type == typeof(object)) return json;
            if (type == typeof(string)) return Text(json);
            if (type.IsEnum) return json is string ? Enum.Parse(type, (string)json, true) : Enum.ToObject(type, json);
            if (type == typeof(byte[])) return Convert.FromBase64String(Text(json));
            if (type == typeof(MemoryStream) || type == typeof(Stream)) return new MemoryStream(Convert.FromBase64String(Text(json)));
            if (type == typeof(DateTime)) return json is string ? (object)DateTime.Parse((string)json, CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind) : new DateTime(1970, 1, 1, 0, 0, 0, DateTimeKind.Utc).AddSeconds(Convert.ToDouble(json));
            if (type == typeof(DateTimeOffset)) return DateTimeOffset.Parse(Text(json), CultureInfo.InvariantCulture);
            if (type == typeof(Guid)) return Guid.Parse(Text(json));
            if (type == typeof(TimeSpan)) return TimeSpan.Parse(Text(json), CultureInfo.InvariantCulture);
            if (type == typeof(Uri)) return new Uri(Text(json));
            if (type.IsPrimitive || type == typeof(decimal)) return Convert.ChangeType(json is IEnumerable && !(json is string) ? Text(json) : json, type, CultureInfo.InvariantCulture);
            if (type.IsArray) return Array(List(json), type.GetElementType());
            if (json is Dictionary<string, object>) return Object((Dictionary<string, object>)json, type);
            return Collection(List(json), type);
        }

        static string Text(object json)
        {
            if (json is string) return (string)json;
            if (json is bool) return (bool)json ? "true" : "false";
            if (json is IEnumerable) throw new FormatException("the event has " + (json is IDictionary ? "an object" : "an array") + " where the handler takes a plain value");
            return Convert.ToString(json, CultureInfo.InvariantCulture);
        }

        static List<object> List(object json)
        {
            var list = json as List<object>;
            if (list == null) throw new FormatException("the event has " + (json is IDictionary ? "an object" : Text(json)) + " where the handler takes a list");
            return list;
        }

        static object Array(List<object> from, Type element)
        {
            Array to = System.Array.CreateInstance(element, from.Count);
            for (int i = 0; i < from.Count; i++) to.SetValue(Read(from[i], element), i);
            return to;
        }

        static object Collection(List<object> from, Type type)
        {
            Type element = type.IsGenericType ? type.GetGenericArguments()[0] : typeof(object);
            if (type.IsInterface) type = typeof(List<>).MakeGenericType(element);
            object to = Activator.CreateInstance(type);
            MethodInfo add = type.GetMethod("Add", new[] { element });
            if (add == null) throw new FormatException("the event has a list where the handler takes " + type.FullName);
            foreach (object o in from) add.Invoke(to, new[] { Read(o, element) });
            return to;
        }

        static object Object(Dictionary<string, object> from, Type type)
        {
            if (type.IsInstanceOfType(from)) return from;
            bool map = typeof(IDictionary).IsAssignableFrom(type) || type.IsGenericType && type.IsInterface && type.Name.Contains("Dictionary");
            if (map) return Map(from, type);
            object bean = Activator.CreateInstance(type, true);
            foreach (var pair in from)
            {
                PropertyInfo p = type.GetProperty(pair.Key, Members);
                if (p != null && p.CanWrite) p.SetValue(bean, Read(pair.Value, p.PropertyType), null);
                FieldInfo f = p == null ? type.GetField(pair.Key, Members) : null;
                if (f != null) f.SetValue(bean, Read(pair.Value, f.FieldType));
            }
            return bean;
        }

        static object Map(Dictionary<string, object> from, Type type)
        {
            Type[] args = type.IsGenericType ? type.GetGenericArguments() : new[] { typeof(string), typeof(object) };
            if (type.IsInterface) type = typeof(Dictionary<,>).MakeGenericType(args);
            var to = (IDictionary)Activator.CreateInstance(type);
            foreach (var pair in from) to[Read(pair.Key, args[0])] = Read(pair.Value, args[1]);
            return to;
        }

        /// <summary>Writes any value as JSON.</summary>
        public static string Write(object value)
        {
            var b = new StringBuilder(128);
            Write(b, value, 0);
            return b.ToString();
        }

        static void Write(StringBuilder b, object value, int depth)
        {
            if (depth > 100) throw new FormatException("the answer refers to itself, or is nested too deeply");
            if (value == null) b.Append("null");
            else if (value is string || value is char || value is Guid || value is Uri || value is TimeSpan || value is Type) Json.Quote(b, value.ToString());
            else if (value is bool) b.Append((bool)value ? "true" : "false");
            else if (value is Enum) b.Append(Convert.ToInt64(value));
            else if (value is double || value is float) Real(b, Convert.ToDouble(value), value is float);
            else if (value.GetType().IsPrimitive || value is decimal) b.Append(Convert.ToString(value, CultureInfo.InvariantCulture));
            else if (value is DateTime) Json.Quote(b, ((DateTime)value).ToString("yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK", CultureInfo.InvariantCulture));
            else if (value is DateTimeOffset) Json.Quote(b, ((DateTimeOffset)value).ToString("yyyy-MM-dd'T'HH:mm:ss.FFFFFFFzzz", CultureInfo.InvariantCulture));
            else if (value is byte[]) Json.Quote(b, Convert.ToBase64String((byte[])value));
            else if (value is MemoryStream) Json.Quote(b, Convert.ToBase64String(((MemoryStream)value).ToArray()));
            else if (value is IDictionary) WriteMap(b, ((IDictionary)value).Cast<object>().Select(Entry), depth);
            else if (value is IEnumerable) WriteList(b, (IEnumerable)value, depth);
            else WriteMap(b, Properties(value), depth);
        }

        static void Real(StringBuilder b, double d, bool single)
        {
            if (double.IsNaN(d) || double.IsInfinity(d)) throw new FormatException("JSON has no number " + d);
            b.Append(single ? ((float)d).ToString("R", CultureInfo.InvariantCulture) : d.ToString("R", CultureInfo.InvariantCulture));
        }

        static KeyValuePair<string, object> Entry(object o)
        {
            if (o is DictionaryEntry) return new KeyValuePair<string, object>(Text(((DictionaryEntry)o).Key), ((DictionaryEntry)o).Value);
            Type t = o.GetType();
            return new KeyValuePair<string, object>(Convert.ToString(t.GetProperty("Key").GetValue(o, null), CultureInfo.InvariantCulture), t.GetProperty("Value").GetValue(o, null));
        }

        static IEnumerable<KeyValuePair<string, object>> Properties(object bean)
        {
            const BindingFlags shown = BindingFlags.Public | BindingFlags.Instance;
            foreach (PropertyInfo p in bean.GetType().GetProperties(shown))
            {
                if (p.CanRead && p.GetIndexParameters().Length == 0) yield return new KeyValuePair<string, object>(p.Name, p.GetValue(bean, null));
            }
            foreach (FieldInfo f in bean.GetType().GetFields(shown)) yield return new KeyValuePair<string, object>(f.Name, f.GetValue(bean));
        }

        static void WriteMap(StringBuilder b, IEnumerable<KeyValuePair<string, object>> pairs, int depth)
        {
            b.Append('{');
            bool first = true;
            foreach (var pair in pairs)
            {
                if (!first) b.Append(',');
                first = false;
                Json.Quote(b, pair.Key);
                b.Append(':');
                Write(b, pair.Value, depth + 1);
            }
            b.Append('}');
        }

        static void WriteList(StringBuilder b, IEnumerable list, int depth)
        {
            b.Append('[');
            bool first = true;
            foreach (object o in list)
            {
                if (!first) b.Append(',');
                first = false;
                Write(b, o, depth + 1);
            }
            b.Append(']');
        }
    }
}
