using System;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Text;
using System.Threading.Tasks;

namespace Redoubt
{
    /// <summary>A handler that cannot be used, in the contract's words.</summary>
    sealed class Unusable : Exception
    {
        public Unusable(string message, Exception cause) : base(message, cause) { }
    }

    /// <summary>The user's code: a method, and how its arguments are made.</summary>
    sealed class Handler
    {
        readonly object instance; // null where the method is static
        readonly MethodInfo method;
        readonly Type input;   // null where it takes none
        readonly Type context; // null where it takes none

        Handler(object instance, MethodInfo method)
        {
            this.instance = instance;
            this.method = method;
            foreach (ParameterInfo p in method.GetParameters())
            {
                if (p.ParameterType.FullName == "Amazon.Lambda.Core.ILambdaContext") context = p.ParameterType;
                else if (input == null) input = p.ParameterType;
                else throw new Unusable("Method '" + method.Name + "' takes more than an event and a context", null);
            }
        }

        /// <summary>Finds "Assembly::Namespace.Class::Method" in the bundle.</summary>
        public static Handler Load(string name, string root)
        {
            string[] parts = name.Split(new[] { "::" }, StringSplitOptions.None);
            if (parts.Length != 3) throw new Unusable("Bad handler '" + name + "': write Assembly::Namespace.Class::Method", null);
            AppDomain.CurrentDomain.AssemblyResolve += (sender, wanted) => Open(root, new AssemblyName(wanted.Name).Name);
            Assembly assembly = Open(root, parts[0]);
            if (assembly == null) throw new Unusable("Could not find the assembly '" + parts[0] + "' in the bundle", null);
            Type type = assembly.GetType(parts[1]);
            if (type == null) throw new Unusable("Unable to load type '" + parts[1] + "' from assembly '" + parts[0] + "'", null);
            MethodInfo method = type.GetMethods(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static)
                .Where(m => m.Name == parts[2]).OrderByDescending(m => m.GetParameters().Length).FirstOrDefault();
            if (method == null) throw new Unusable("Unable to find method '" + parts[2] + "' in type '" + parts[1] + "'", null);
            return new Handler(method.IsStatic ? null : Activator.CreateInstance(type, true), method);
        }

        static Assembly Open(string root, string name)
        {
            foreach (string suffix in new[] { ".dll", ".exe" })
            {
                string file = Path.Combine(root, name + suffix);
                if (File.Exists(file)) return Assembly.LoadFrom(file);
            }
            return null;
        }

        /// <summary>Runs the code; what it throws comes out wrapped by reflection or by its task.</summary>
        public byte[] Run(Response next)
        {
            var args = method.GetParameters().Select(p => p.ParameterType == context ? Context.For(context, next) : Event(next)).ToArray();
            return Bytes(Settle(method.Invoke(instance, args)));
        }

        object Event(Response next)
        {
            if (typeof(Stream).IsAssignableFrom(input)) return new MemoryStream(next.Body);
            return next.Body.Length == 0 ? Bean.Read(null, input) : Bean.Read(Json.Parse(next.Text), input);
        }

        static object Settle(object got)
        {
            var task = got as Task;
            if (task == null) return got;
            task.Wait();
            // A Task of something keeps it in Result; a plain one is of a hidden
            // type without a value.
            Type t = task.GetType();
            while (t != null && !(t.IsGenericType && t.GetGenericTypeDefinition() == typeof(Task<>))) t = t.BaseType;
            if (t == null || t.GetGenericArguments()[0].Name == "VoidTaskResult") return null;
            return t.GetProperty("Result").GetValue(task, null);
        }

        byte[] Bytes(object got)
        {
            var stream = got as Stream;
            if (stream != null)
            {
                using (stream)
                {
                    if (stream.CanSeek) stream.Position = 0;
                    var all = new MemoryStream();
                    stream.CopyTo(all);
                    return all.ToArray();
                }
            }
            return method.ReturnType == typeof(void) ? new byte[0] : Encoding.UTF8.GetBytes(Bean.Write(got));
        }
    }
}
