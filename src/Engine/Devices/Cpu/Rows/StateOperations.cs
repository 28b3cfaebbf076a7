using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Serving.Devices.Cpu;

/// <summary>
/// Updates of states. Parts of a job are heads or blocks of columns, never runs, so that the runs of a place follow one another; what is
/// added to what is the same for any number of rows.
/// </summary>
sealed unsafe class StateOperations(WorkerTeam team)
{
    // Below this many values a team costs more than it brings.
    const long TeamValues = 16 * 1024;

    /// <summary>Every vector beside those of the rows before it.</summary>
    public void Recall(Tensor source, StateRows state, RowBatch batch, StateBatch places, Tensor destination)
    {
        fixed (int* positions = batch.Positions, starts = batch.RunStarts, at = places.Places, saves = places.Saves)
        {
            var runs = new StateRuns { Positions = positions, Starts = starts, Places = at, Saves = saves, Runs = batch.Runs, State = state };
            var job = new RecallJob { Runs = runs, Source = source, Destination = destination, Before = state.Width / source.Columns };
            team.Run(ref job, source.Heads, (long)source.Rows * destination.Columns < TeamValues);
        }
    }

    /// <summary>Running sums.</summary>
    public void Accumulate(RunningSum rule, Tensor source, StateRows state, RowBatch batch, StateBatch places, Tensor destination)
    {
        fixed (int* positions = batch.Positions, starts = batch.RunStarts, at = places.Places, saves = places.Saves)
        {
            var runs = new StateRuns { Positions = positions, Starts = starts, Places = at, Saves = saves, Runs = batch.Runs, State = state };
            var job = new SumJob { Runs = runs, Rule = rule, Source = source, Destination = destination };
            team.Run(ref job, source.Heads, (long)source.Rows * source.Columns < TeamValues);
        }
    }

    /// <summary>The delta rule.</summary>
    public void Delta(DeltaRows rows, StateRows state, RowBatch batch, StateBatch places, Tensor destination)
    {
        fixed (int* positions = batch.Positions, starts = batch.RunStarts, at = places.Places, saves = places.Saves)
        {
            var runs = new StateRuns { Positions = positions, Starts = starts, Places = at, Saves = saves, Runs = batch.Runs, State = state };
            var job = new DeltaJob { Runs = runs, Rows = rows, Destination = destination };
            team.Run(ref job, rows.Key.Heads, batch.Rows * (long)state.Width < TeamValues);
        }
    }

    /// <summary>The runs of a step with the places of their states.</summary>
    struct StateRuns
    {
        public int* Positions, Starts, Places, Saves;
        public int Runs;
        public StateRows State;

        /// <summary>The values from <paramref name="offset"/> on of a run's state; zeros before the first position.</summary>
        public readonly float* Begin(int run, long offset, int width, int rows = 1, int stride = 0)
        {
            var state = At(Places[run], offset);
            if (Starts[run] < Starts[run + 1] && Positions[Starts[run]] == 0)
                for (var row = 0; row < rows; row++) new Span<float>(state + (long)row * stride, width).Clear();
            return state;
        }

        /// <summary>Copies what a run leaves to the further place, if it has one.</summary>
        public readonly void End(int run, long offset, int width, int rows = 1, int stride = 0)
        {
            if (Saves[run] == StateBatch.None || Starts[run] == Starts[run + 1]) return;
            var from = At(Places[run], offset);
            var to = At(Saves[run], offset);
            for (var row = 0; row < rows; row++)
                new ReadOnlySpan<float>(from + (long)row * stride, width).CopyTo(new Span<float>(to + (long)row * stride, width));
        }

        readonly float* At(int place, long offset) => (float*)(State.Address + (nint)(place * State.PlaceBytes)) + offset;
    }

    /// <summary>One part is a head.</summary>
    struct RecallJob : IJob
    {
        public StateRuns Runs;
        public Tensor Source, Destination;
        public int Before;

        public readonly void Run(int part, int worker)
        {
            var (width, columns, offset) = (Source.Width, Source.Columns, (long)part * Source.Width);
            for (var run = 0; run < Runs.Runs; run++)
            {
                var kept = Runs.Begin(run, offset, width, Before, columns);
                var (start, end) = (Runs.Starts[run], Runs.Starts[run + 1]);
                if (start == end) continue;
                for (var row = start; row < end; row++)
                    for (var tap = 0; tap <= Before; tap++)
                        Copy(At(row - Before + tap, start, part, kept), Destination.At(row, part) + (long)tap * width);
                // The oldest first: where the run is shorter than the state, the rest of the state moves up.
                for (var i = 0; i < Before; i++) Copy(At(end - Before + i, start, part, kept), kept + (long)i * columns);
                Runs.End(run, offset, width, Before, columns);
            }
        }

        readonly float* At(int row, int start, int head, float* kept) =>
            row >= start ? Source.At(row, head) : kept + (long)(row - start + Before) * Source.Columns;

        readonly void Copy(float* from, float* to) => new ReadOnlySpan<float>(from, Source.Width).CopyTo(new Span<float>(to, Source.Width));
    }

    /// <summary>One part is a head.</summary>
    struct SumJob : IJob
    {
        public StateRuns Runs;
        public RunningSum Rule;
        public Tensor Source, Destination;

        public readonly void Run(int part, int worker)
        {
            var (width, offset) = (Source.Width, (long)part * Source.Width);
            for (var run = 0; run < Runs.Runs; run++)
            {
                var kept = Runs.Begin(run, offset, width);
                for (var row = Runs.Starts[run]; row < Runs.Starts[run + 1]; row++)
                {
                    Sum(Rule.BeginsAt(Runs.Positions[row]) ? 0 : Rule.Decay, Rule.Gain, Source.At(row, part), kept, width);
                    new ReadOnlySpan<float>(kept, width).CopyTo(new Span<float>(Destination.At(row, part), width));
                }
                Runs.End(run, offset, width);
            }
        }

        static void Sum(float decay, float gain, float* source, float* kept, int width)
        {
            var i = 0;
            for (; i <= width - Lanes.Count; i += Lanes.Count)
                Vector512.MultiplyAddEstimate(Vector512.Load(source + i), Vector512.Create(gain), Vector512.Load(kept + i) * decay).Store(kept + i);
            for (; i < width; i++) kept[i] = float.MultiplyAddEstimate(source[i], gain, kept[i] * decay);
        }
    }

    /// <summary>One part is a head, whose memory lies row by row, a key's value a row.</summary>
    struct DeltaJob : IJob
    {
        public StateRuns Runs;
        public DeltaRows Rows;
        public Tensor Destination;

        public readonly void Run(int part, int worker)
        {
            var (keys, values) = (Rows.Key.Width, Rows.Value.Width);
            var (size, offset) = (keys * values, (long)part * keys * values);
            for (var run = 0; run < Runs.Runs; run++)
            {
                var memory = Runs.Begin(run, offset, size);
                for (var row = Runs.Starts[run]; row < Runs.Starts[run + 1]; row++) Step(row, part, memory, keys, values);
                Runs.End(run, offset, size);
            }
        }

        // Values of a row that are in hand at once: their sums stay in registers of any class, and whole lines of memory are read.
        const int Wide = 4 * Lanes.Count;

        readonly void Step(int row, int head, float* memory, int keys, int values)
        {
            float* query = Rows.Query.At(row, head), key = Rows.Key.At(row, head), decay = Rows.LogDecay.At(row, head);
            float* value = Rows.Value.At(row, head), result = Destination.At(row, head);
            var strength = Rows.Strength.At(row, head / Rows.Strength.Width)[head % Rows.Strength.Width];
            var j = 0;
            for (; j <= values - Wide; j += Wide) Step(memory + j, keys, values, query, key, decay, strength, value + j, result + j);
            for (; j < values; j += Lanes.Count)
                Step(memory + j, keys, values, query, key, decay, strength, value + j, result + j, Math.Min(Lanes.Count, values - j));
        }

        // What is known is read from the faded memory without writing it; then it fades again, is written and read.
        [SkipLocalsInit, MethodImpl(MethodImplOptions.AggressiveOptimization)]
        static void Step(float* memory, int keys, int stride, float* query, float* key, float* decay, float strength, float* value, float* result)
        {
            var factors = stackalloc float[Lanes.Count];
            Vector512<float> a = default, b = default, c = default, d = default;
            var at = memory;
            for (var i = 0; i < keys; i++, at += stride)
            {
                if (i % Lanes.Count == 0) Lanes.Exp(Load(decay + i, Math.Min(Lanes.Count, keys - i))).Store(factors);
                var (factor, weight) = (Vector512.Create(factors[i % Lanes.Count]), Vector512.Create(key[i]));
                a = Vector512.MultiplyAddEstimate(Vector512.Load(at) * factor, weight, a);
                b = Vector512.MultiplyAddEstimate(Vector512.Load(at + 16) * factor, weight, b);
                c = Vector512.MultiplyAddEstimate(Vector512.Load(at + 32) * factor, weight, c);
                d = Vector512.MultiplyAddEstimate(Vector512.Load(at + 48) * factor, weight, d);
            }
            (a, b) = ((Vector512.Load(value) - a) * strength, (Vector512.Load(value + 16) - b) * strength);
            (c, d) = ((Vector512.Load(value + 32) - c) * strength, (Vector512.Load(value + 48) - d) * strength);
            Vector512<float> p = default, q = default, r = default, s = default;
            at = memory;
            for (var i = 0; i < keys; i++, at += stride)
            {
                if (i % Lanes.Count == 0) Lanes.Exp(Load(decay + i, Math.Min(Lanes.Count, keys - i))).Store(factors);
                var (factor, weight, asked) = (Vector512.Create(factors[i % Lanes.Count]), Vector512.Create(key[i]), Vector512.Create(query[i]));
                Write(at, factor, a, weight, asked, ref p);
                Write(at + 16, factor, b, weight, asked, ref q);
                Write(at + 32, factor, c, weight, asked, ref r);
                Write(at + 48, factor, d, weight, asked, ref s);
            }
            p.Store(result);
            q.Store(result + 16);
            r.Store(result + 32);
            s.Store(result + 48);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        static void Write(float* at, Vector512<float> factor, Vector512<float> news, Vector512<float> key, Vector512<float> query, ref Vector512<float> read)
        {
            var written = Vector512.MultiplyAddEstimate(news, key, Vector512.Load(at) * factor);
            written.Store(at);
            read = Vector512.MultiplyAddEstimate(written, query, read);
        }

        // Sixteen values at a time or fewer, the same sums: where values are not many.
        [SkipLocalsInit]
        static void Step(
            float* memory, int keys, int stride, float* query, float* key, float* decay, float strength, float* value, float* result, int count)
        {
            var factors = stackalloc float[Lanes.Count];
            var (known, read) = (Vector512<float>.Zero, Vector512<float>.Zero);
            var at = memory;
            for (var i = 0; i < keys; i++, at += stride)
            {
                if (i % Lanes.Count == 0) Lanes.Exp(Load(decay + i, Math.Min(Lanes.Count, keys - i))).Store(factors);
                var faded = Load(at, count) * factors[i % Lanes.Count];
                Store(faded, at, count);
                known = Vector512.MultiplyAddEstimate(faded, Vector512.Create(key[i]), known);
            }
            var news = (Load(value, count) - known) * strength;
            at = memory;
            for (var i = 0; i < keys; i++, at += stride)
            {
                var written = Vector512.MultiplyAddEstimate(news, Vector512.Create(key[i]), Load(at, count));
                Store(written, at, count);
                read = Vector512.MultiplyAddEstimate(written, Vector512.Create(query[i]), read);
            }
            Store(read, result, count);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        static Vector512<float> Load(float* source, int count)
        {
            if (count == Lanes.Count) return Vector512.Load(source);
            var values = Vector512<float>.Zero;
            new ReadOnlySpan<float>(source, count).CopyTo(new Span<float>(&values, Lanes.Count));
            return values;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        static void Store(Vector512<float> values, float* destination, int count)
        {
            if (count == Lanes.Count) values.Store(destination);
            else new ReadOnlySpan<float>(&values, count).CopyTo(new Span<float>(destination, count));
        }
    }
}
