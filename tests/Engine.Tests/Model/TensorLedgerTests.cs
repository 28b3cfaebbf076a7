using Serving.Model;

namespace Serving.Tests;

public sealed class TensorLedgerTests : IDisposable
{
    readonly TemporaryFolder _folder = new();
    readonly Checkpoint _checkpoint;

    public TensorLedgerTests()
    {
        _folder.Write("config.json", """{"model_type":"llama"}""");
        _folder.Write("model.safetensors", SafetensorsFileTests.Bytes(
            """
            {"w":{"dtype":"F32","shape":[6,2],"data_offsets":[0,48]},"b":{"dtype":"F32","shape":[4],"data_offsets":[48,64]},
             "mask":{"dtype":"U8","shape":[2],"data_offsets":[64,66]}}
            """, new byte[66]));
        _checkpoint = Checkpoint.Open(_folder.Path);
    }

    [Fact]
    public void Rows_that_cover_a_tensor_use_it_up()
    {
        var ledger = _checkpoint.OpenLedger();
        Assert.Equal([4, 2], ledger.TakeRows("w", 2, 4, 6, 2).Shape);
        Assert.Equal(_checkpoint.Tensors["w"].Data, ledger.TakeRows("w", 0, 2).Data);
        ledger.Take("b", 4);
        ledger.Ignore("m*k", "a buffer of the training code");
        ledger.Close();
        Assert.Equal([6, 2], ledger.TakeAgain("w", 6, 2).Shape);
    }

    [Fact]
    public void What_is_left_is_listed()
    {
        var ledger = _checkpoint.OpenLedger();
        ledger.TakeRows("w", 0, 2);
        ledger.TakeRows("w", 3, 3);
        Assert.EndsWith("3 tensors were not used, so this is not the model its configuration describes: "
            + "b F32 [4], mask (U8), w F32 [6, 2] from row 2 on.", Refused(ledger.Close), StringComparison.Ordinal);
    }

    [Fact]
    public void Misuse_names_the_tensor()
    {
        var ledger = _checkpoint.OpenLedger();
        Assert.EndsWith(
            "tensor w is [6, 2]; the configuration asks for [2, 6].", Refused(() => ledger.Take("w", 2, 6)), StringComparison.Ordinal);
        Assert.EndsWith("tensor q [3, 3] is missing.", Refused(() => ledger.Take("q", 3, 3)), StringComparison.Ordinal);
        Assert.EndsWith(
            "tensor w is to be used a second time, but was not used before.", Refused(() => ledger.TakeAgain("w")),
            StringComparison.Ordinal);
        Assert.EndsWith(
            "tensor mask is stored as U8; served are F32, F16, BF16.", Refused(() => ledger.Take("mask", 2)), StringComparison.Ordinal);
        Assert.EndsWith("tensor w F32 [6, 2] has no rows 4 to 7.", Refused(() => ledger.TakeRows("w", 4, 3)), StringComparison.Ordinal);
        ledger.TakeRows("w", 1, 3);
        Assert.EndsWith("tensor w: rows 3 to 5 were used before.", Refused(() => ledger.TakeRows("w", 3, 2)), StringComparison.Ordinal);
        Assert.Null(ledger.TakeIfThere("q", 3, 3));
    }

    public void Dispose()
    {
        _checkpoint.Dispose();
        _folder.Dispose();
    }

    static string Refused(Action action) => Assert.Throws<CheckpointException>(action).Message;
}
