using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text;

namespace Redoubt
{
    /// <summary>Reads JSON into dictionaries, lists, strings, numbers, booleans and null.</summary>
    sealed class Json
    {
        const int MaxDepth = 500;
        readonly string text;
        int at, depth;

        Json(string text) { this.text = text; }

        public static object Parse(string text)
        {
            Json json = new Json(text);
            object value = json.Value();
            json.Space();
            if (json.at < text.Length) throw json.Wrong("more after the value");
            return value;
        }

        Exception Wrong(string what) { return new FormatException("JSON: " + what + " at character " + at); }

        void Space() { while (at < text.Length && " \t\r\n".IndexOf(text[at]) >= 0) at++; }

        char Peek()
        {
            if (at >= text.Length) throw Wrong("unexpected end");
            return text[at];
        }

        bool Accept(char c)
        {
            Space();
            if (Peek() != c) return false;
            at++;
            return true;
        }

        void Expect(char c) { if (!Accept(c)) throw Wrong("expected '" + c + "'"); }

        object Value()
        {
            Space();
            switch (Peek())
            {
                case '{': return Object();
                case '[': return Array();
                case '"': return String();
                case 't': return Word("true", true);
                case 'f': return Word("false", false);
                case 'n': return Word("null", null);
                default: return Number();
            }
        }

        object Word(string word, object value)
        {
            if (string.CompareOrdinal(text, at, word, 0, word.Length) != 0) throw Wrong("unknown word");
            at += word.Length;
            return value;
        }

        void Deeper() { if (++depth > MaxDepth) throw Wrong("nested too deeply"); }

        object Object()
        {
            Deeper();
            var map = new Dictionary<string, object>();
            Expect('{');
            if (!Accept('}'))
            {
                do
                {
                    Space();
                    string key = String();
                    Expect(':');
                    map[key] = Value();
                } while (Accept(','));
                Expect('}');
            }
            depth--;
            return map;
        }

        object Array()
        {
            Deeper();
            var list = new List<object>();
            Expect('[');
            if (!Accept(']'))
            {
                do list.Add(Value()); while (Accept(','));
                Expect(']');
            }
            depth--;
            return list;
        }

        string String()
        {
            if (Peek() != '"') throw Wrong("expected a string");
            at++;
            var b = new StringBuilder();
            for (;;)
            {
                char c = Peek();
                at++;
                if (c == '"') return b.ToString();
                b.Append(c == '\\' ? Escaped() : c);
            }
        }

        char Escaped()
        {
            char c = Peek();
            at++;
            switch (c)
            {
                case 'n': return '\n';
                case 't': return '\t';
                case 'r': return '\r';
                case 'b': return '\b';
                case 'f': return '\f';
                case 'u':
                    ushort code;
                    if (at + 4 > text.Length || !ushort.TryParse(text.Substring(at, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out code)) throw Wrong("bad escape");
                    at += 4;
                    return (char)code;
                case '"': case '\\': case '/': return c;
                default: throw Wrong("bad escape");
            }
        }

        object Number()
        {
            int start = at;
            while (at < text.Length && "+-.eE0123456789".IndexOf(text[at]) >= 0) at++;
            string digits = text.Substring(start, at - start);
            long whole;
            if (long.TryParse(digits, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out whole)) return whole;
            double real;
            if (double.TryParse(digits, NumberStyles.Float, CultureInfo.InvariantCulture, out real)) return real;
            at = start;
            throw Wrong("unexpected character");
        }

        /// <summary>Writes s as a JSON string.</summary>
        public static void Quote(StringBuilder b, string s)
        {
            b.Append('"');
            for (int i = 0; i < s.Length; i++)
            {
                char c = s[i];
                bool paired = char.IsHighSurrogate(c) ? i + 1 < s.Length && char.IsLowSurrogate(s[i + 1]) : i > 0 && char.IsHighSurrogate(s[i - 1]);
                if (c == '"' || c == '\\') b.Append('\\').Append(c);
                else if (c < ' ' || char.IsSurrogate(c) && !paired) b.Append("\\u").Append(((int)c).ToString("x4"));
                else b.Append(c);
            }
            b.Append('"');
        }
    }
}
