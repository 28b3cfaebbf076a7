using Serving.Server.OpenAi;

namespace Serving.Tests;

/// <summary>An output of a model of some family, and what a client must see of it: content, then name and arguments of each call.</summary>
sealed record RecordedCall(string Format, string Output, string Content, params (string Name, string Arguments)[] Calls)
{
    public override string ToString() => $"{Format}: {Output[..Math.Min(40, Output.Length)]}";
}

/// <summary>Outputs as the families' published templates and reference parsers spell them.</summary>
static class RecordedCalls
{
    public static readonly RecordedCall[] All =
    [
        new("hermes", "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Paris\"}}\n</tool_call>", "", ("get_weather", "{\"city\": \"Paris\"}")),
        new("hermes", "Let me look.\n\n<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"</tool_call>\", \"n\": [1, {\"a\": \"}\"}]}}\n</tool_call>\n<tool_call>\n{\"arguments\": {}, \"name\": \"stop-it\"}\n</tool_call>",
            "Let me look.", ("get_weather", "{\"city\": \"</tool_call>\", \"n\": [1, {\"a\": \"}\"}]}"), ("stop-it", "{}")),
        new("hermes", "<tool_call>{\"name\":\"stop-it\"}</tool_call> Done.", " Done.", ("stop-it", "{}")),
        new("hermes", "<tool_call>\n{\"name\": \"unknown\", \"arguments\": {}}\n</tool_call>", "<tool_call>\n{\"name\": \"unknown\", \"arguments\": {}}\n</tool_call>"),
        new("hermes", "Use <tool_call> tags, < and <tool", "Use <tool_call> tags, < and <tool"),
        new("hermes", "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": \"{\\\"city\\\": \\\"é☃\\\"}\"}\n</tool_call>", "", ("get_weather", "{\"city\": \"é☃\"}")),
        new("qwen-coder", "<tool_call>\n<function=get_weather>\n<parameter=city>\nNew\nYork\n</parameter>\n<parameter=days>\n3\n</parameter>\n</function>\n</tool_call>", "",
            ("get_weather", "{\"city\": \"New\\nYork\", \"days\": 3}")),
        new("llama3", "{\"name\": \"get_weather\", \"parameters\": {\"city\": \"Paris\"}}", "", ("get_weather", "{\"city\": \"Paris\"}")),
        new("llama3", "<|python_tag|>{\"name\": \"get_weather\", \"parameters\": {\"city\": \"A\"}}; {\"name\": \"stop-it\", \"parameters\": {}}", "",
            ("get_weather", "{\"city\": \"A\"}"), ("stop-it", "{}")),
        new("llama3", "{\"answer\": 42}", "{\"answer\": 42}"),
        new("llama3", "The weather {\"name\": \"get_weather\"}", "The weather {\"name\": \"get_weather\"}"),
        new("mistral", "[TOOL_CALLS][{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Paris, ]\"}}, {\"name\": \"stop-it\", \"arguments\": {}, \"id\": \"9Ae3bDc2F\"}]", "",
            ("get_weather", "{\"city\": \"Paris, ]\"}"), ("stop-it", "{}")),
        new("mistral", "[TOOL_CALLS] [{\"arguments\": {\"city\": \"P\"}, \"name\": \"get_weather\"}]", "", ("get_weather", "{\"city\": \"P\"}")),
        new("mistral-named", "Ok.[TOOL_CALLS]get_weather[ARGS]{\"city\": \"Paris\"}[TOOL_CALLS]stop-it[CALL_ID]ab12cd34e[ARGS]{}", "Ok.",
            ("get_weather", "{\"city\": \"Paris\"}"), ("stop-it", "{}")),
        new("deepseek-v3", "Sure.<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n```json\n{\"city\": \"Tokyo\"}\n```<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>stop-it\n```json\n{}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
            "Sure.", ("get_weather", "{\"city\": \"Tokyo\"}"), ("stop-it", "{}")),
        new("deepseek-v3.1", "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>{\"city\": \"Tokyo\"}<｜tool▁call▁end｜><｜tool▁call▁begin｜>stop-it<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
            "", ("get_weather", "{\"city\": \"Tokyo\"}"), ("stop-it", "{}")),
        new("glm", "I'll check.\n<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>10</arg_value>\n<arg_key>days</arg_key>\n<arg_value>10</arg_value>\n<arg_key>more</arg_key>\n<arg_value>{\"a\": [true]}</arg_value>\n</tool_call>",
            "I'll check.", ("get_weather", "{\"city\": \"10\", \"days\": 10, \"more\": {\"a\": [true]}}")),
        new("glm", "<tool_call>stop-it</tool_call><tool_call>get_weather<arg_key>city</arg_key><arg_value>a \"b\"\n</arg_value></tool_call>", "",
            ("stop-it", "{}"), ("get_weather", "{\"city\": \"a \\\"b\\\"\\n\"}")),
        new("kimi", "<|tool_calls_section_begin|><|tool_call_begin|>functions.get_weather:0<|tool_call_argument_begin|>{\"city\": \"Beijing\"}<|tool_call_end|><|tool_call_begin|>functions.stop-it:1<|tool_call_argument_begin|>{}<|tool_call_end|><|tool_calls_section_end|>",
            "", ("get_weather", "{\"city\": \"Beijing\"}"), ("stop-it", "{}")),
        new("smollm", "<tool_call>[{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Bern\"}}, {\"name\": \"stop-it\", \"arguments\": {}}]</tool_call>", "",
            ("get_weather", "{\"city\": \"Bern\"}"), ("stop-it", "{}")),
        new("smollm", "<tool_call>{\"name\": \"stop-it\", \"arguments\": {}}</tool_call>", "", ("stop-it", "{}")),
        new("json", " {\"name\": \"get_weather\", \"arguments\": {\"city\": \"X\"}}\n{\"name\": \"stop-it\", \"arguments\": {}}", "", ("get_weather", "{\"city\": \"X\"}"), ("stop-it", "{}")),
    ];

    public static readonly ToolDefinition[] Tools =
    [
        new("get_weather", System.Text.Json.JsonElement.Parse("""
            {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1, "maximum": 9}, "unit": {"type": "string", "enum": ["C", "F"]},
             "more": {"$ref": "#/$defs/more"}}, "required": ["city"], "$defs": {"more": {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "boolean"}}}} } }
            """), "tools[0].function.parameters"),
        new("stop-it", null, "tools[1].function.parameters"),
    ];

    public static ToolFormat FormatOf(string name) => ToolFormats.All.Single(format => format.Name == name);
}
