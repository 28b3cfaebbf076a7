namespace Serving.Conformance.Rows;

/// <summary>Bodies of requests: valid ones, to which a row adds what it is about.</summary>
static class Ask
{
    public const string Chat = "/v1/chat/completions", Text = "/v1/completions", Embed = "/v1/embeddings", Respond = "/v1/responses";

    /// <summary>A short greedy chat; a member given here comes last and so replaces an earlier one of its name.</summary>
    public static string Chatting(string members = "") =>
        $$"""{"model": "$MODEL", "messages": [{"role": "user", "content": "Say hello."}], "temperature": 0, "max_tokens": 6{{Also(members)}}}""";

    /// <summary>A chat of these messages.</summary>
    public static string Saying(string messages, string members = "") =>
        $$"""{"model": "$MODEL", "messages": {{messages}}, "temperature": 0, "max_tokens": 4{{Also(members)}}}""";

    /// <summary>A short greedy text completion.</summary>
    public static string Completing(string members = "") =>
        $$"""{"model": "$MODEL", "prompt": "The capital of France is", "temperature": 0, "max_tokens": 4{{Also(members)}}}""";

    /// <summary>Any body that names the model.</summary>
    public static string With(string members = "") => $$"""{"model": "$MODEL"{{Also(members)}}}""";

    static string Also(string members) => members.Length == 0 ? "" : ", " + members;
}
