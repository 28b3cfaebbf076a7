namespace Serving.Devices.Cpu;

/// <summary>
/// Queries that read the same rows: neighbouring tokens of a run times neighbouring heads of a group, tokens outermost. Groups whose rows
/// have shared parts are read together, tile by tile, so that a tile's shared parts are brought once.
/// </summary>
unsafe struct AttendUnit
{
    /// <summary>The page table of the run.</summary>
    public int* Pages;

    /// <summary>First row of the batch, and the position of its token.</summary>
    public int Row, Position;

    /// <summary>Rows.</summary>
    public int Rows;

    /// <summary>Group, its first head that is read here, and heads.</summary>
    public int Group, Head, Heads;

    /// <summary>Groups from that one on, each with as many heads.</summary>
    public int Groups;

    /// <summary>Queries of a group.</summary>
    public readonly int Queries => Rows * Heads;

    /// <summary>Queries of all groups.</summary>
    public readonly int AllQueries => Queries * Groups;

    /// <summary>
    /// Groups whose queries are one block where they meet the parts of rows that all groups share: as many as a kernel takes at once; 1 where
    /// a group's own queries fill it.
    /// </summary>
    public int Packed;

    /// <summary>The block with which a group's queries meet what all groups share; the group's own block begins with the query <paramref name="start"/>.</summary>
    public readonly SharedBlock SharedBlockOf(int group, int start, int rows)
    {
        if (Packed == 1) return new(group * Queries + start, rows, 0);
        var first = group / Packed * Packed;
        return new(first * Queries, Math.Min(Packed, Groups - first) * Queries, (group - first) * Queries);
    }

    /// <summary>One of its groups alone.</summary>
    public readonly AttendUnit Of(int group) => this with { Group = Group + group, Head = Head + group * Heads, Groups = 1 };

    /// <summary>The first row in a page that the first token sees, and the last that any sees; -1 where none is closed.</summary>
    public int First, Last;
}

/// <summary>Queries that meet the shared parts of rows together.</summary>
/// <param name="Start">The first of them, counted in the unit.</param>
/// <param name="Rows">How many they are.</param>
/// <param name="Row">Where among them those begin that were asked for.</param>
readonly record struct SharedBlock(int Start, int Rows, int Row);

/// <summary>
/// Matrices that rebuild a head's keys from latents while a tile is read, as floats: [head][panel of 32 outputs][row block][block][row][32].
/// </summary>
readonly unsafe struct KeyMap(float* rows, int inputsPadded, int outputsPadded)
{
    /// <summary>True where keys are cached as they are.</summary>
    public bool IsEmpty => rows is null;

    /// <summary>Width of a latent, in whole blocks.</summary>
    public int InputsPadded => inputsPadded;

    /// <summary>The row block of a head that begins with an output.</summary>
    public float* At(int head, int output) => rows + ((long)head * outputsPadded + output) * inputsPadded;
}

/// <summary>An attention operation as its workers see it.</summary>
unsafe struct AttendWork
{
    /// <summary>Rows whose partial result has a maximum of its own.</summary>
    public const int SpanRows = 512;

    /// <summary>Rows that are widened at once.</summary>
    public const int TileRows = 64;

    /// <summary>Most queries of a unit: their state stays in the second cache.</summary>
    public const int UnitQueries = 96;

    public AttendShape Shape;
    public ScoreRule Rule;
    public Tensor Main, Rotary, Destination;
    public AttendRows Cached;
    public KeyMap Map;
    public AttendUnit* Units;
    public byte* Scratch;
    public long ScratchOfWorker;

    /// <summary>A unit with the rows that its queries see.</summary>
    public readonly AttendUnit Seeing(AttendUnit unit)
    {
        unit.First = Cached.Main.FirstRow(Rule, unit.Position);
        unit.Last = Cached.Main.LastRow(unit.Position + unit.Rows - 1);
        unit.Packed = Shape.RotaryWidth + Shape.SharedValueWidth > 0 ? Math.Clamp(RowBlocks.Most / unit.Queries, 1, unit.Groups) : 1;
        return unit;
    }

    /// <summary>Width of the main part of a key, in whole blocks.</summary>
    public readonly int MainPadded => PanelSize.Blocks(Shape.MainWidth) * PanelSize.Block;

    /// <summary>Width of the rotary part of a key, in whole blocks.</summary>
    public readonly int RotaryPadded => PanelSize.Blocks(Shape.RotaryWidth) * PanelSize.Block;

    /// <summary>Width of a key, each part in whole blocks.</summary>
    public readonly int KeyPadded => MainPadded + RotaryPadded;

    /// <summary>Width of a value without its shared part, in whole panels.</summary>
    public readonly int OwnValuePadded => PanelSize.Blocks(Shape.ValueWidth) * PanelSize.Block;

    /// <summary>Width of the shared part of a value, in whole panels.</summary>
    public readonly int SharedValuePadded => PanelSize.Blocks(Shape.SharedValueWidth) * PanelSize.Block;

    /// <summary>Width of a value, each part in whole panels.</summary>
    public readonly int ValuePadded => OwnValuePadded + SharedValuePadded;

    /// <summary>Width of the angles by which keys turn, in whole blocks.</summary>
    public readonly int AnglePadded => PanelSize.Blocks(Rule.Turn.Angles.Columns) * PanelSize.Block;

    /// <summary>Floats of the rows of a tile that are spread over the parts of their classes.</summary>
    public readonly int SpreadFloats => Shape.Classes == 0 ? 0 : TileRows * MainPadded;

    /// <summary>Floats of the latents of a tile of which keys are rebuilt.</summary>
    public readonly int LatentFloats => Map.IsEmpty ? 0 : TileRows * Map.InputsPadded;

    /// <summary>Floats of the angles of a tile's positions.</summary>
    public readonly int AngleFloats => Rule.Turn.IsEmpty ? 0 : TileRows * AnglePadded;

    /// <summary>Floats of the state of as many queries, in one group or several.</summary>
    public readonly long StateFloats(int queries) => queries * (long)(ValuePadded + 2 * PanelSize.Block);

    /// <summary>The state of one of a unit's groups. They lie side by side, and behind them what all have gathered of shared values.</summary>
    public readonly QueryState StateOf(float* states, in AttendUnit unit, int group) =>
        new(states + group * OwnFloats(unit), SharedOf(states, unit), unit, group, OwnValuePadded, SharedValuePadded);

    /// <summary>What the queries of all groups have gathered of shared values: [block][panel][query of the block][32].</summary>
    public readonly float* SharedOf(float* states, in AttendUnit unit) => states + unit.Groups * OwnFloats(unit);

    readonly long OwnFloats(in AttendUnit unit) => unit.Queries * (long)(OwnValuePadded + 2 * PanelSize.Block);

    /// <summary>Takes up the states of the rows behind, group by group.</summary>
    public readonly void Merge(float* states, float* next, in AttendUnit unit)
    {
        for (var group = 0; group < unit.Groups; group++) StateOf(states, unit, group).Merge(StateOf(next, unit, group));
    }

    /// <summary>Clears the states of all groups.</summary>
    public readonly void Clear(float* states, in AttendUnit unit)
    {
        for (var group = 0; group < unit.Groups; group++) StateOf(states, unit, group).Clear();
        new Span<float>(SharedOf(states, unit), unit.AllQueries * SharedValuePadded).Clear();
    }

    /// <summary>Floats that the turned scales of sixteen rows of any stream take.</summary>
    public readonly int ScaleFloats => Math.Max(
        Math.Max(ScalesOf(Cached.Main), ScalesOf(Cached.Rotary)), Math.Max(ScalesOf(Cached.Value), ScalesOf(Cached.SharedValue)));

    /// <summary>Floats that cover the longest stored row, or the angles of a position.</summary>
    public readonly int ZeroFloats => Math.Max(AngleFloats / TileRows, Math.Max(
        Math.Max(Cached.Main.VectorBytes, Cached.Rotary.VectorBytes), Math.Max(Cached.Value.VectorBytes, Cached.SharedValue.VectorBytes)) / sizeof(float) + 1);

    /// <summary>Floats that the places of a tile's rows take, and those of a part of each.</summary>
    public const int PlaceFloats = 2 * TileRows * sizeof(long) / sizeof(float);

    // Those of each group, and one more before the first.
    static int ScalesOf(in PagedRows stream) => (stream.Format.Scales(stream.Width) + 1) * PanelSize.Outputs;

    /// <summary>Bytes of a worker's scratch.</summary>
    public readonly long ScratchBytes =>
        (2 * StateFloats(UnitQueries) + UnitQueries * (long)KeyPadded + TileRows * (long)(KeyPadded + ValuePadded)
        + TileRows * PanelSize.Rows + SpreadFloats + LatentFloats + AngleFloats + ScaleFloats + ZeroFloats + PlaceFloats + PanelSize.Block) / PanelSize.Block * PanelSize.Block * sizeof(float);
}
