using System;
using System.Collections.Generic;
using System.Net;

namespace Shop
{
    // What this function reads of a bucket's event.
    public class Event { public List<Record> Records { get; set; } }
    public class Record { public Part S3 { get; set; } }
    public class Part { public Named Bucket { get; set; } public Named Object { get; set; } }
    public class Named { public string Name { get; set; } public string Key { get; set; } }

    /// <summary>Writes a receipt for every order that comes into the bucket "orders".</summary>
    public class Receipt
    {
        static readonly string Api = Environment.GetEnvironmentVariable("REDOUBT_API") + "/buckets/";

        public string Handle(Event change)
        {
            foreach (Record record in change.Records)
            {
                string key = Uri.UnescapeDataString(record.S3.Object.Key.Replace('+', ' '));
                using (var web = new WebClient())
                {
                    string[] order = web.DownloadString(Api + record.S3.Bucket.Name + "/" + key).Trim().Split(';');
                    string text = "Received with thanks from " + order[1] + ": " + order[3] + " x " + order[2] + "\n";
                    web.UploadString(Api + "receipts/" + key.Replace(".csv", ".txt"), "PUT", text);
                    Console.WriteLine("receipt written for order " + order[0]);
                }
            }
            return "done";
        }
    }
}
