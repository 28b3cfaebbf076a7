using Serving.Server.OpenAi;

namespace Serving.Tests;

public sealed class ReasoningTests
{
    [Theory]
    [InlineData(true, "\nI think.\n\nHard.\n</think>\n\nYes. </think>", "I think.\n\nHard.", "Yes. </think>")]
    [InlineData(true, "no end < /thi", "no end < /thi", "")]
    [InlineData(true, "</think>Yes", "", "Yes")]
    [InlineData(false, "<think>\n\n</think>\n\nYes", "", "Yes")]
    [InlineData(false, "<think>a</think>", "a", "")]
    [InlineData(false, "  <thin>no", "", "  <thin>no")]
    [InlineData(false, " <thi", "", " <thi")]
    [InlineData(false, "Yes <think>no</think>", "", "Yes <think>no</think>")]
    public void Thoughts_are_split_from_what_is_said_wherever_the_text_is_cut(bool isOpen, string text, string thought, string said)
    {
        for (var cut = 0; cut <= text.Length; cut++)
            Assert.Equal((thought, said), Read(isOpen, [text[..cut], text[cut..]]));
        Assert.Equal((thought, said), Read(isOpen, text.Select(c => c.ToString())));
    }

    [Fact]
    public void Calls_after_a_thought_are_found_and_those_within_are_not()
    {
        var reader = new AnswerReader(new(new("<think>", "</think>"), isOpen: true), new(RecordedCalls.FormatOf("json"), RecordedCalls.Tools, parallel: true));
        var parts = reader.Push(new(0, 0) { Piece = new("{\"name\": \"stop-it\"}</think>\n{\"name\": \"stop-it\"}", [default, default]), FinishReason = "stop" });
        Assert.Equal([PartKind.Reasoning, PartKind.Call, PartKind.Arguments], parts.Select(part => part.Kind));
        Assert.Equal(2, reader.ReasoningTokens);
    }

    static (string, string) Read(bool isOpen, IEnumerable<string> pieces)
    {
        var reader = new AnswerReader(new(new("<think>", "</think>"), isOpen), null);
        var parts = pieces.SelectMany(text => reader.Push(new(0, 0) { Piece = new(text, []) })).ToList();
        parts.AddRange(reader.Push(new(0, 0) { Piece = new("", []), FinishReason = "stop" }));
        return (Text(PartKind.Reasoning), Text(PartKind.Content));

        string Text(PartKind kind) => string.Concat(parts.Where(part => part.Kind == kind).Select(part => part.Text));
    }
}
