using System.Buffers;
using System.Collections;
using System.Text.Json;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;
using Serving.Protos;
using Serving.Server.Http;

namespace Serving.Server.Grpc;

/// <summary>
/// A request as HTTP would spell it. Fields have the same names there, so that one reader checks the requests of both protocols; the few that are
/// spelled otherwise are named here.
/// </summary>
sealed class RequestJson : IDisposable
{
    readonly JsonDocument _document;
    readonly bool _isTokens, _isTokenInput;

    /// <summary>Spells a message; a 400 where that cannot be done.</summary>
    public RequestJson(IMessage message)
    {
        _isTokens = message is GenerateRequest { InputCase: GenerateRequest.InputOneofCase.PromptTokenIds };
        _isTokenInput = message is EmbedRequest { InputTokenIds.Count: > 0 };
        if (message is EmbedRequest { Input.Count: > 0, InputTokenIds.Count: > 0 })
            throw ApiException.Invalid("input_token_ids", "invalid_parameter_combination", "'input' and 'input_token_ids' are both given; give one of them.");
        var buffer = new ArrayBufferWriter<byte>();
        try
        {
            using (var json = new Utf8JsonWriter(buffer))
                WriteObject(json, message);
            _document = JsonDocument.Parse(buffer.WrittenMemory, new() { MaxDepth = RequestBody.MaxDepth });
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or ArgumentException)
        {
            throw ApiException.Malformed($"The request cannot be read: a value has no content, a schema is not JSON, or nesting goes beyond {RequestBody.MaxDepth} levels.");
        }
        Fields = new(_document.RootElement, "");
    }

    public RequestReader Fields { get; }

    /// <summary>Reads the request; an error of it names the field as the message has it.</summary>
    public T Read<T>(Func<RequestReader, T> read)
    {
        try
        {
            return read(Fields);
        }
        catch (ApiException refusal) when (refusal.Error.Param is { } param)
        {
            throw new ApiException(refusal.Error with { Param = FieldOf(param) });
        }
    }

    public void Dispose() => _document.Dispose();

    string FieldOf(string param)
    {
        var end = param.AsSpan().IndexOfAny('.', '[');
        var (name, rest) = end < 0 ? (param, "") : (param[..end], param[end..]);
        return name switch
        {
            "messages" or "add_generation_prompt" or "continue_final_message" or "chat_template_kwargs" => $"chat.{param}",
            "input" when _isTokenInput => "input_token_ids" + rest,
            "prompt" when _isTokens => $"prompt_token_ids{(rest.Length > 0 ? ".ids" : "")}{rest}",
            "top_logprobs" => "logprobs" + rest,
            _ => param,
        };
    }

    static void WriteObject(Utf8JsonWriter json, IMessage message)
    {
        json.WriteStartObject();
        if (message is Tool or ToolCall)
            json.WriteString("type", "function");
        WriteMembers(json, message);
        json.WriteEndObject();
    }

    static void WriteMembers(Utf8JsonWriter json, IMessage message)
    {
        foreach (var field in message.Descriptor.Fields.InDeclarationOrder().Where(field => IsGiven(field, message)))
        {
            switch (field.Accessor.GetValue(message))
            {
                case Chat chat:
                    WriteMembers(json, chat);
                    break;
                case TokenIds tokens:
                    WriteMember(json, "prompt", tokens.Ids);
                    break;
                case IEnumerable<TokenIds> inputs:
                    WriteMember(json, "input", inputs.Select(input => input.Ids));
                    break;
                case ToolChoice choice:
                    json.WritePropertyName(field.Name);
                    WriteChoice(json, choice);
                    break;
                case string schema when message is Tool.Types.Function && field.Name == "parameters":
                    json.WritePropertyName(field.Name);
                    json.WriteRawValue(schema);
                    break;
                case uint places when field.Name == "logprobs" && message is GenerateRequest { InputCase: GenerateRequest.InputOneofCase.Chat }:
                    json.WriteBoolean("logprobs", true);
                    json.WriteNumber("top_logprobs", places);
                    break;
                case var value:
                    WriteMember(json, field.Name, value);
                    break;
            }
        }
    }

    static void WriteChoice(Utf8JsonWriter json, ToolChoice choice)
    {
        if (choice.ChoiceCase is ToolChoice.ChoiceOneofCase.Function)
            WriteFunction(json, choice.Function);
        else if (choice.AllowedTools is not { } allowed)
            json.WriteStringValue(choice.Mode);
        else
        {
            json.WriteStartObject();
            json.WriteString("type", "allowed_tools");
            json.WriteStartObject("allowed_tools");
            json.WriteString("mode", allowed.Mode);
            json.WriteStartArray("tools");
            foreach (var name in allowed.Tools)
                WriteFunction(json, name);
            json.WriteEndArray();
            json.WriteEndObject();
            json.WriteEndObject();
        }
    }

    static void WriteFunction(Utf8JsonWriter json, string name)
    {
        json.WriteStartObject();
        json.WriteString("type", "function");
        json.WriteStartObject("function");
        json.WriteString("name", name);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    static bool IsGiven(FieldDescriptor field, IMessage message) =>
        field.HasPresence ? field.Accessor.HasValue(message) : field.Accessor.GetValue(message) is not ("" or ICollection { Count: 0 });

    static void WriteMember(Utf8JsonWriter json, string name, object value)
    {
        json.WritePropertyName(name);
        WriteValue(json, value);
    }

    static void WriteValue(Utf8JsonWriter json, object value)
    {
        switch (value)
        {
            case string text:
                json.WriteStringValue(text);
                break;
            case bool flag:
                json.WriteBooleanValue(flag);
                break;
            case float number when float.IsFinite(number):
                json.WriteNumberValue(number);
                break;
            case int or uint or long:
                json.WriteNumberValue(Convert.ToInt64(value));
                break;
            case Struct members:
                json.WriteRawValue(JsonFormatter.Default.Format(members));
                break;
            case IMessage message:
                WriteObject(json, message);
                break;
            case IDictionary map:
                json.WriteStartObject();
                foreach (DictionaryEntry entry in map)
                    WriteMember(json, $"{entry.Key}", entry.Value!);
                json.WriteEndObject();
                break;
            case IEnumerable list:
                json.WriteStartArray();
                foreach (var item in list)
                    WriteValue(json, item);
                json.WriteEndArray();
                break;
            default:
                json.WriteStringValue($"{value}");
                break;
        }
    }
}
