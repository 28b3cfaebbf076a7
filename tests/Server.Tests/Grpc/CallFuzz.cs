using System.Buffers.Binary;
using System.Collections;
using System.IO.Compression;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;
using Serving.Protos;
using Serving.Protos.Health;
using Serving.Protos.Reflection;

namespace Serving.Tests.Grpc;

/// <summary>A call that may be wrong, and what it is meant to exercise.</summary>
sealed record FuzzCall(string Path, string Method, byte[] Body, (string, string)[] Headers, IReadOnlyList<string> Fields)
{
    public override string ToString() => $"{Path}: {Convert.ToHexString(Body.AsSpan(0, Math.Min(Body.Length, 1000)))}";
}

/// <summary>Makes calls from the descriptors of the services: fields with values that fit or do not, bytes that were changed afterwards, frames and headers that lie.</summary>
sealed class CallFuzz(Random random)
{
    public const string Key = "fuzz-key";
    public const int MaxBody = 20_000;

    static readonly MethodDescriptor[] Methods =
    [
        .. GenerationReflection.Descriptor.Services[0].Methods, HealthReflection.Descriptor.Services[0].Methods[0], ReflectionReflection.Descriptor.Services[0].Methods[0],
    ];

    static readonly string[] Timeouts = ["", "1", "5S", "0n", "99999999H", "1000000000m", "-1S", "S", "1.5S", "0x3S", "20m"];
    static readonly string[] Encodings = ["", "gzip", "identity", "snappy", "gzip, gzip", "%"];
    static readonly string[] Types = ["application/grpc", "application/grpc", "application/grpc", "application/grpc+proto", "application/grpc;x", "application/grpc-web", "text/plain"];

    /// <summary>Every method of the model's own service, and every field of its requests.</summary>
    public static IEnumerable<string> Everything => GenerationReflection.Descriptor.Services[0].Methods.SelectMany(method =>
        method.InputType.Fields.InDeclarationOrder().Select(one => $"{method.Name} {one.Name}").Prepend(method.Name));

    public FuzzCall Next()
    {
        var method = Methods[random.Next(3) > 0 ? random.Next(2) : random.Next(Methods.Length)];
        var fields = new List<string>();
        var message = Made(method.InputType, 0, fields).ToByteArray();
        if (random.Next(4) == 0)
            message = Mutated(message);
        if (random.Next(400) == 0)
            message = [.. message, .. new byte[MaxBody]];
        var path = $"/{method.Service.FullName}/{method.Name}{(random.Next(200) == 0 ? "x" : "")}";
        var key = random.Next(100) switch { 0 => "Bearer wrong", 1 => "", _ => $"Bearer {Key}" };
        (string, string)[] headers =
        [
            ("authorization", key), ("grpc-timeout", Timeouts[random.Next(20) == 0 ? random.Next(Timeouts.Length) : 2]), ("grpc-encoding", Encodings[random.Next(8) == 0 ? random.Next(Encodings.Length) : 1]),
            ("grpc-accept-encoding", Encodings[random.Next(Encodings.Length)]), ("Content-Type", Types[random.Next(20) == 0 ? random.Next(Types.Length) : 0]),
        ];
        return new(path, method.Name, Framed(message), headers, [.. fields.Select(field => $"{method.Name} {field}")]);
    }

    IMessage Made(MessageDescriptor kind, int depth, List<string>? fields = null)
    {
        var message = kind.Parser.ParseFrom([]);
        var all = kind.Fields.InDeclarationOrder();
        foreach (var field in all)
        {
            var usual = field.Name is "model" or "messages" or "role" or "content" or "function" or "name" or "max_tokens" or "tokens" or "input" || kind.Name is "TokenIds";
            var chance = field.ContainingOneof is { IsSynthetic: false } oneof ? 1.2 / oneof.Fields.Count : usual ? 0.97 : 2.5 / all.Count;
            if (random.NextDouble() > chance)
                continue;
            fields?.Add(field.Name);
            Set(message, field, depth);
        }
        return message;
    }

    void Set(IMessage message, FieldDescriptor field, int depth)
    {
        if (field.IsMap)
        {
            var map = (IDictionary)field.Accessor.GetValue(message);
            if (field.MessageType.FindFieldByNumber(1).FieldType == FieldType.String)
                map["a"] = Value.ForNumber(random.Next(3));
            else
                map[(uint)random.Next(300)] = random.Next(4) == 0 ? 101f : random.Next(-100, 100);
        }
        else if (field.IsRepeated)
        {
            var list = (IList)field.Accessor.GetValue(message);
            for (var count = random.Next(15) == 0 ? random.Next(60) : random.Next(1, 4); count > 0; count--)
                list.Add(Any(field, depth));
        }
        else
            field.Accessor.SetValue(message, Any(field, depth));
    }

    object Any(FieldDescriptor field, int depth) => field.FieldType switch
    {
        FieldType.Bool => random.Next(2) == 0,
        FieldType.String => Text(field.Name),
        FieldType.Bytes => ByteString.CopyFrom(1, 2),
        FieldType.Float => random.Next(8) switch { 0 => float.NaN, 1 => -3f, 2 => 1000f, _ => (float)random.NextDouble() },
        FieldType.Double => random.NextDouble(),
        FieldType.Int32 => random.Next(10) switch { 0 => int.MinValue, 1 => int.MaxValue, _ => random.Next(-1, 4) },
        FieldType.Int64 => random.NextInt64(),
        FieldType.UInt32 => field.Name == "max_tokens" ? random.Next(30) switch { 0 => 1_000_000u, 1 => 0u, _ => 3u }
            : random.Next(12) switch { 0 => uint.MaxValue, 1 => (uint)random.Next(1000), _ => (uint)random.Next(1, 5) },
        FieldType.Message when depth < 6 => Made(field.MessageType, depth + 1),
        FieldType.Message => field.MessageType.Parser.ParseFrom([]),
        FieldType.Enum => 0,
        _ => 0u,
    };

    string Text(string name) => random.Next(25) == 0 ? "" : name switch
    {
        "model" => random.Next(30) == 0 ? "nobody" : "tiny",
        "role" => ((string[])["user", "user", "assistant", "system", "developer", "tool", "king"])[random.Next(7)],
        "mode" => ((string[])["none", "auto", "required", "must"])[random.Next(4)],
        "json" or "parameters" => ((string[])["{\"type\": \"object\"}", "{\"enum\": [1, \"é\"]}", "{\"if\": {}}", "{", "[]"])[random.Next(5)],
        "regex" => ((string[])["a+", "(", "[a-z]{2}", "\\d*"])[random.Next(4)],
        "grammar" => ((string[])["root ::= \"a\"", "root ::= x", "::="])[random.Next(3)],
        "reasoning_effort" => random.Next(2) == 0 ? "low" : "most",
        "file_containing_symbol" => random.Next(2) == 0 ? "serving.v1.Chat" : "no.Body",
        _ => random.Next(30) == 0 ? new string('x', 600) : string.Concat(Enumerable.Range(0, random.Next(1, 8)).Select(_ => random.Next(6) == 0 ? "é☃" : ((char)random.Next('a', 'z')).ToString())),
    };

    byte[] Mutated(byte[] message)
    {
        var bytes = message.ToList();
        for (var edits = random.Next(1, 4); edits > 0 && bytes.Count > 0; edits--)
        {
            var at = random.Next(bytes.Count);
            switch (random.Next(5))
            {
                case 0:
                    bytes.RemoveRange(at, Math.Min(random.Next(1, 6), bytes.Count - at));
                    break;
                case 1:
                    bytes.InsertRange(at, message.Take(random.Next(message.Length)));
                    break;
                case 2:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 3:
                    // The largest number there is, wherever one stands.
                    bytes.InsertRange(at, [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01]);
                    break;
                default:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
            }
        }
        return [.. bytes];
    }

    byte[] Framed(byte[] message)
    {
        switch (random.Next(30))
        {
            case 0:
                var wrong = GrpcClient.Frame(message, flag: (byte)random.Next(4));
                BinaryPrimitives.WriteUInt32BigEndian(wrong.AsSpan(1), (uint)random.NextInt64(uint.MaxValue));
                return wrong;
            case 1:
                return GrpcClient.Frame(message)[..random.Next(message.Length + 5)];
            case 2:
                return [.. GrpcClient.Frame(message), .. GrpcClient.Frame(message)];
            case 3:
                return GrpcClient.Frame(message, flag: 1);
            case 4:
                var packed = new MemoryStream();
                using (var gzip = new GZipStream(packed, CompressionLevel.Fastest))
                    gzip.Write(message);
                return GrpcClient.Frame(packed.ToArray(), flag: 1);
            default:
                return GrpcClient.Frame(message);
        }
    }
}
