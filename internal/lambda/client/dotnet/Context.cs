using System;
using System.Collections.Generic;
using System.Reflection;
using System.Runtime.Remoting.Messaging;
using System.Runtime.Remoting.Proxies;

namespace Redoubt
{
    /// <summary>
    /// Stands in for the interfaces of Amazon.Lambda.Core, which the bundle brings
    /// along and this client is not built against: members are answered by name.
    /// </summary>
    sealed class Stand : RealProxy
    {
        readonly Func<string, object[], Type, object> answer;

        Stand(Type type, Func<string, object[], Type, object> answer) : base(type) { this.answer = answer; }

        public static object For(Type type, Func<string, object[], Type, object> answer)
        {
            return new Stand(type, answer).GetTransparentProxy();
        }

        public override IMessage Invoke(IMessage message)
        {
            var call = (IMethodCallMessage)message;
            var method = (MethodInfo)call.MethodBase;
            object value = answer(method.Name, call.Args, method.ReturnType);
            if (value == null && method.ReturnType.IsValueType && method.ReturnType != typeof(void)) value = Activator.CreateInstance(method.ReturnType);
            return new ReturnMessage(value, null, 0, call.LogicalCallContext, call);
        }
    }

    /// <summary>The context of one invocation, as ILambdaContext names it.</summary>
    static class Context
    {
        public static object For(Type type, Response next)
        {
            return Stand.For(type, (name, args, returns) => Member(name, returns, next));
        }

        static object Member(string name, Type returns, Response next)
        {
            switch (name)
            {
                case "get_AwsRequestId": return next.Header("lambda-runtime-aws-request-id");
                case "get_InvokedFunctionArn": return next.Header("lambda-runtime-invoked-function-arn");
                case "get_TenantId": return next.Header("lambda-runtime-aws-tenant-id");
                case "get_TraceId": return next.Header("lambda-runtime-trace-id");
                case "get_FunctionName": return Environment.GetEnvironmentVariable("AWS_LAMBDA_FUNCTION_NAME");
                case "get_FunctionVersion": return Environment.GetEnvironmentVariable("AWS_LAMBDA_FUNCTION_VERSION");
                case "get_LogGroupName": return Environment.GetEnvironmentVariable("AWS_LAMBDA_LOG_GROUP_NAME");
                case "get_LogStreamName": return Environment.GetEnvironmentVariable("AWS_LAMBDA_LOG_STREAM_NAME");
                case "get_MemoryLimitInMB": return int.Parse(Environment.GetEnvironmentVariable("AWS_LAMBDA_FUNCTION_MEMORY_SIZE") ?? "0");
                case "get_RemainingTime": return Remaining(next);
                case "get_Logger": return Stand.For(returns, Log);
                case "get_Identity": return Given(returns, next.Header("lambda-runtime-cognito-identity"));
                case "get_ClientContext": return Given(returns, next.Header("lambda-runtime-client-context"));
                default: return null;
            }
        }

        static TimeSpan Remaining(Response next)
        {
            long deadline = long.Parse(next.Header("lambda-runtime-deadline-ms") ?? "0");
            TimeSpan left = new DateTime(1970, 1, 1, 0, 0, 0, DateTimeKind.Utc).AddMilliseconds(deadline) - DateTime.UtcNow;
            return left > TimeSpan.Zero ? left : TimeSpan.Zero;
        }

        // Log(text), LogLine(text), LogInformation(text), Log(level, text): the
        // last string is the text.
        static object Log(string name, object[] args, Type returns)
        {
            string text = null;
            foreach (object arg in args) text = arg as string ?? text;
            if (name == "Log" && args.Length == 1) Console.Write(text);
            else Console.WriteLine(text);
            return null;
        }

        static object Given(Type type, string json)
        {
            var given = json == null ? null : Json.Parse(json) as Dictionary<string, object>;
            return given == null ? null : Named(type, given);
        }

        static object Named(Type type, Dictionary<string, object> given)
        {
            return Stand.For(type, (name, args, returns) =>
            {
                string want = name.Replace("get_", "").Replace("Identity", "cognitoIdentity").Replace("Environment", "env").ToLowerInvariant();
                foreach (var pair in given)
                {
                    if (pair.Key.Replace("_", "").ToLowerInvariant() != want) continue;
                    var inner = pair.Value as Dictionary<string, object>;
                    return inner != null && returns.IsInterface && !returns.IsGenericType ? Named(returns, inner) : Bean.Read(pair.Value, returns);
                }
                return null;
            });
        }
    }
}
