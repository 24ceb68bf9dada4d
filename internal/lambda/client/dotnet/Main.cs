using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Text;

namespace Redoubt
{
    /// <summary>
    /// Runs a Lambda handler written in C# on mono: loads it, asks the Runtime
    /// API for events and posts answers.
    /// </summary>
    static class Program
    {
        const string Base = "/2018-06-01/runtime/";
        const int MaxCauses = 10;

        static int Main()
        {
            var console = new StreamWriter(Console.OpenStandardOutput(), new UTF8Encoding(false)) { AutoFlush = true };
            Console.SetOut(console);
            var channel = new Channel(Variable("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"));
            if (Variable("_REDOUBT_STEM", "") != "") Attach(channel);
            Handler handler;
            try
            {
                handler = Handler.Load(Variable("_HANDLER", ""), Variable("LAMBDA_TASK_ROOT", "/var/task"));
            }
            catch (Exception e)
            {
                byte[] doc = Report(e);
                channel.Send(channel.Head(Base + "init/error", TypeHeader(Bare(e)), doc.Length), doc);
                channel.Receive();
                return 1;
            }
            Serve(channel, handler);
            return 0;
        }

        static string Variable(string name, string otherwise)
        {
            string value = Environment.GetEnvironmentVariable(name);
            return string.IsNullOrEmpty(value) ? otherwise : value;
        }

        static void Serve(Channel channel, Handler handler)
        {
            byte[] ask = channel.Get(Base + "invocation/next");
            channel.Send(ask);
            for (;;)
            {
                Response next = channel.Receive();
                if (next.Status != 200) throw new IOException("the Runtime API refused the next event: " + next.Status + " " + next.Text);
                string id = next.Header("lambda-runtime-aws-request-id");
                Environment.SetEnvironmentVariable("_X_AMZN_TRACE_ID", next.Header("lambda-runtime-trace-id"));
                byte[] head, body;
                try
                {
                    body = handler.Run(next);
                    head = channel.Head(Base + "invocation/" + id + "/response", "", body.Length);
                }
                catch (Exception e)
                {
                    body = Report(e);
                    head = channel.Head(Base + "invocation/" + id + "/error", TypeHeader(Bare(e)), body.Length);
                }
                // The answer and the question for the next event go out together.
                channel.Send(head, body, ask);
                Response said = channel.Receive();
                if (said.Status != 202) Console.WriteLine("the Runtime API refused the answer: " + said.Text);
            }
        }

        // What code threw, without what reflection and tasks wrapped around it.
        static Exception Bare(Exception e)
        {
            while (e.InnerException != null && (e is TargetInvocationException || e is AggregateException || e is TypeInitializationException)) e = e.InnerException;
            return e;
        }

        static string TypeHeader(Exception e) { return "Lambda-Runtime-Function-Error-Type: " + e.GetType().Name + "\r\n"; }

        static byte[] Report(Exception e)
        {
            e = Bare(e);
            Console.WriteLine(e);
            return Encoding.UTF8.GetBytes(Bean.Write(Describe(e, 0)));
        }

        static Dictionary<string, object> Describe(Exception e, int depth)
        {
            var doc = new Dictionary<string, object> { { "errorType", e.GetType().Name }, { "errorMessage", e.Message } };
            if (e.StackTrace != null) doc["stackTrace"] = e.StackTrace.Split('\n').Select(l => l.TrimEnd()).Where(l => l.Length > 0).ToList();
            if (e.InnerException != null && depth < MaxCauses) doc["cause"] = Describe(Bare(e.InnerException), depth + 1);
            return doc;
        }

        // A pre-started runtime warms up, then waits until it is told whose it is.
        static void Attach(Channel channel)
        {
            for (int i = 0; i < 20; i++) Bean.Write(Bean.Read(Json.Parse("{\"a\":[1,2.5,\"x\"],\"b\":null}"), typeof(Dictionary<string, object>)));
            channel.Send(channel.Get("/2018-06-01/redoubt/attach"));
            Response got = channel.Receive();
            if (got.Status != 200) throw new IOException("no code was attached: " + got.Status);
            var doc = (Dictionary<string, object>)Json.Parse(got.Text);
            Environment.SetEnvironmentVariable("_REDOUBT_STEM", null);
            foreach (var pair in (Dictionary<string, object>)doc["env"]) Environment.SetEnvironmentVariable(pair.Key, (string)pair.Value);
            Environment.SetEnvironmentVariable("_HANDLER", (string)doc["handler"]);
            Directory.SetCurrentDirectory(Variable("LAMBDA_TASK_ROOT", "/var/task")); // the code was not there when this started
        }
    }
}
