namespace Serving.Tests;

public sealed class SourceFileTests
{
    const string Sample = """"
        // class Comment { int Mla() { } }
        namespace Sample; /* Mha */
        sealed class Two<T>(int size) where T : struct
        {
            static readonly int[] Table = [Make(1), Make(2)];
            const char Quote = '"';
            public int Size => size;
            [Obsolete("a } brace")]
            public string Text(int a) =>
                $"{string.Join(", ", a)} }} {{ Gla {(a > 1 ? "x" : @"""y")}";
            void Long(string s = """raw " {""")
            {
                if (s == "{") return;

                void Local() { }
            }
            record Pair(int A, int B);
            int Property { get; set; } = 5;
        }
        """";

    static readonly SourceFile File = new("sample.cs", Sample);

    [Fact]
    public void Comments_are_no_code_and_text_is()
    {
        Assert.DoesNotContain("Mla", File.Code);
        Assert.DoesNotContain("Mha", File.Code);
        Assert.Contains("Gla", File.Code);
        Assert.DoesNotContain("Gla", File.Bare);
        Assert.DoesNotContain("raw", File.Bare);
        Assert.Contains("string.Join", File.Bare);
        Assert.Equal(Sample.Length, File.Bare.Length);
    }

    [Fact]
    public void A_function_is_counted_from_its_attributes_to_its_end() =>
        Assert.Equal([("Text", 8, 3), ("Long", 11, 6)], File.Functions());

    [Fact]
    public void An_identifier_has_the_words_of_its_humps() =>
        Assert.Equal(["Mla", "Plan", "of", "MLA", "x"], Repository.Words("MlaPlan of MLA_x").Select(word => word.Value));
}
