using Serving.Attention;
using Serving.Attention.Families;

namespace Serving.Tests;

/// <summary>What schemes would cache, against the worked examples of their papers.</summary>
public sealed class SchemeSketchTests
{
    [Theory]
    [InlineData("GQA", 32, 8, 128, 2048)] // Llama-3.1-8B
    [InlineData("MHA", 18, 6, 128, 4608), InlineData("LRKV", 18, 6, 128, 2272)]
    [InlineData("MLA", 128, 32, 128, 576), InlineData("GLA-2", 16, 4, 128, 576), InlineData("MLRA-4", 24, 6, 128, 576)]
    [InlineData("MFA", 16, 4, 128, 512), InlineData("MFA-KR", 16, 4, 128, 256)]
    [InlineData("GTA", 16, 4, 128, 576), InlineData("Tucker", 12, 3, 64, 128), InlineData("MQA", 12, 3, 64, 128)]
    [InlineData("CLA-2", 32, 8, 128, 2048), InlineData("CLLA-2", 16, 4, 128, 576)]
    [InlineData("CARE", 32, 8, 128, 1024), InlineData("CCGQA", 16, 4, 128, 512), InlineData("EG-MLA", 12, 3, 64, 128), InlineData("FastMKA", 28, 4, 128, 1024)]
    [InlineData("GLA-4", 24, 6, 128, 576), InlineData("KHA", 32, 4, 128, 1024), InlineData("KV-head SVD", 32, 8, 128, 4096), InlineData("QCQA", 32, 8, 128, 4096)]
    [InlineData("MHA2MLA", 32, 32, 128, 2560), InlineData("MHA2MLA-VLM", 28, 4, 128, 384), InlineData("MKA", 12, 2, 64, 512), InlineData("MoAS", 6, 2, 64, 1152)]
    [InlineData("MTLA", 8, 2, 64, 144), InlineData("SQA", 16, 4, 16, 128), InlineData("X-EcoMLA", 32, 8, 64, 160)]
    public void A_scheme_caches_as_many_elements_as_its_paper_says(string scheme, int heads, int groups, int width, int elements)
    {
        var sketch = AttentionFamilies.Sketches(new(heads, groups, width)).Single(sketch => sketch.Name == scheme);
        var plan = new AttentionPlan { Streams = [], Branch = new(heads, new([]), "main") { Scale = 1, Output = new([]) } };
        Assert.Equal(elements, sketch.In(plan, 0).ElementsPerToken);
        Assert.Equal(sketch.SharedLayers == 1 ? elements : 0, sketch.In(plan, 1).ElementsPerToken);
    }
}
