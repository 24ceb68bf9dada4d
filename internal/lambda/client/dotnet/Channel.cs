using System;
using System.Collections.Generic;
using System.IO;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Redoubt
{
    /// <summary>A response of the Runtime API; header names in lower case.</summary>
    sealed class Response
    {
        public int Status;
        public Dictionary<string, string> Headers = new Dictionary<string, string>();
        public byte[] Body;

        public string Header(string name)
        {
            string value;
            return Headers.TryGetValue(name, out value) ? value : null;
        }

        public string Text { get { return Encoding.UTF8.GetString(Body); } }
    }

    /// <summary>One connection to the Runtime API, which speaks the little HTTP it takes.</summary>
    sealed class Channel
    {
        readonly Socket socket;
        readonly string host;
        readonly byte[] buffer = new byte[16 << 10];
        int at, end;

        public Channel(string address)
        {
            host = address;
            int colon = address.LastIndexOf(':');
            socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            socket.Connect(IPAddress.Parse(address.Substring(0, colon)), int.Parse(address.Substring(colon + 1)));
        }

        public byte[] Get(string path)
        {
            return Encoding.ASCII.GetBytes("GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
        }

        public byte[] Head(string path, string headers, int length)
        {
            return Encoding.ASCII.GetBytes("POST " + path + " HTTP/1.1\r\nHost: " + host + "\r\nContent-Type: application/json\r\n"
                + headers + "Content-Length: " + length + "\r\n\r\n");
        }

        /// <summary>One write for all: the answer and what is asked next.</summary>
        public void Send(params byte[][] parts)
        {
            int size = 0;
            foreach (byte[] part in parts) size += part.Length;
            byte[] all = new byte[size];
            int to = 0;
            foreach (byte[] part in parts)
            {
                Buffer.BlockCopy(part, 0, all, to, part.Length);
                to += part.Length;
            }
            for (int sent = 0; sent < size;) sent += socket.Send(all, sent, size - sent, SocketFlags.None);
        }

        public Response Receive()
        {
            string first = Line();
            Response r = new Response { Status = int.Parse(first.Substring(9, 3)) };
            for (string l = Line(); l.Length > 0; l = Line())
            {
                int colon = l.IndexOf(':');
                if (colon > 0) r.Headers[l.Substring(0, colon).ToLowerInvariant()] = l.Substring(colon + 1).Trim();
            }
            string length = r.Header("content-length");
            r.Body = new byte[length == null ? 0 : int.Parse(length)];
            int have = Math.Min(r.Body.Length, end - at);
            Buffer.BlockCopy(buffer, at, r.Body, 0, have);
            at += have;
            while (have < r.Body.Length)
            {
                int n = socket.Receive(r.Body, have, r.Body.Length - have, SocketFlags.None);
                if (n == 0) throw new EndOfStreamException("the Runtime API closed the connection");
                have += n;
            }
            return r;
        }

        string Line()
        {
            StringBuilder line = new StringBuilder();
            for (;;)
            {
                if (at == end)
                {
                    at = 0;
                    end = socket.Receive(buffer);
                    if (end == 0) throw new EndOfStreamException("the Runtime API closed the connection");
                }
                char c = (char)buffer[at++];
                if (c == '\n') return line.ToString().TrimEnd('\r');
                if (line.Length > 64 << 10) throw new IOException("the Runtime API sent an endless line");
                line.Append(c);
            }
        }
    }
}
