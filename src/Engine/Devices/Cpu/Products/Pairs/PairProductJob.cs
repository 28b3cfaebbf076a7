namespace Serving.Devices.Cpu;

/// <summary>One part is a range of panels against all rows of a segment, whose inputs are rounded.</summary>
unsafe struct PairProductJob : IJob
{
    public Product Product;
    public byte* X;
    public float* Scales;

    public PairKernel Kernel;

    public readonly void Run(int part, int worker)
    {
        var segment = Product.Segments[part / Product.PartsOfSegment];
        var first = part % Product.PartsOfSegment * Product.PanelsOfPart;
        var last = Math.Min(first + Product.PanelsOfPart, Product.PanelsOfMatrix);
        var totals = (float*)(Product.Scratch + worker * Product.ScratchOfWorker);
        var count = RowBlocks.Count(segment.Rows);
        for (var panel = first; panel < last; panel++)
        {
            var at = Product.Panels + ((long)segment.Matrix * Product.PanelsOfMatrix + panel) * Product.PanelBytes;
            new Span<float>(totals, segment.Rows * PanelSize.Outputs).Clear();
            for (var i = 0; i < count; i++)
            {
                var start = RowBlocks.Start(segment.Rows, count, i);
                var rows = RowBlocks.Start(segment.Rows, count, i + 1) - start;
                var place = (long)(segment.First + start) * Product.Blocks;
                Kernel.Run(rows, (int*)(X + place * Kernel.RowBytes), Scales + place, at, Product.Blocks, totals + start * PanelSize.Outputs, Product.Sums + place);
            }
            Product.Finish(segment, panel * PanelSize.Outputs, totals);
        }
    }
}
