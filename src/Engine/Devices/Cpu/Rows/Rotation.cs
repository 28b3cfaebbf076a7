using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Serving.Devices.Cpu;

/// <summary>Turns pairs of a vector by angles.</summary>
static unsafe class Rotation
{
    /// <summary>Pair i is (i, i + pairs), or (2i, 2i + 1) when interleaved; it turns by (cosines[i], sines[i]).</summary>
    public static void Turn(float* vector, float* cosines, float* sines, int pairs, bool interleaved)
    {
        if (interleaved)
        {
            for (var i = 0; i < pairs; i++)
            {
                var (x, y) = (vector[2 * i], vector[2 * i + 1]);
                vector[2 * i] = x * cosines[i] - y * sines[i];
                vector[2 * i + 1] = x * sines[i] + y * cosines[i];
            }
            return;
        }
        var pair = 0;
        for (; pair <= pairs - Lanes.Count; pair += Lanes.Count)
        {
            var (x, y) = (Vector512.Load(vector + pair), Vector512.Load(vector + pairs + pair));
            var (cosine, sine) = (Vector512.Load(cosines + pair), Vector512.Load(sines + pair));
            (x * cosine - y * sine).Store(vector + pair);
            (x * sine + y * cosine).Store(vector + pairs + pair);
        }
        for (; pair < pairs; pair++)
        {
            var (x, y) = (vector[pair], vector[pairs + pair]);
            vector[pair] = x * cosines[pair] - y * sines[pair];
            vector[pairs + pair] = x * sines[pair] + y * cosines[pair];
        }
    }

    /// <summary>Keys of 32 rows in the lanes [width x 32] turn by their rows' angles, laid out alike; the same arithmetic.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Turn(float* keys, float* angles, in KeyTurn turn)
    {
        var pairs = turn.Angles.Columns / 2;
        var (step, apart) = turn.Interleaved ? (2, 1) : (1, pairs);
        for (var pair = 0; pair < pairs; pair++, angles += PanelSize.Outputs)
        {
            var first = keys + pair * step * PanelSize.Outputs;
            for (var lane = 0; lane < PanelSize.Outputs; lane += Lanes.Count)
            {
                var (x, y) = (Vector512.Load(first + lane), Vector512.Load(first + apart * PanelSize.Outputs + lane));
                var (cosine, sine) = (Vector512.Load(angles + lane), Vector512.Load(angles + pairs * PanelSize.Outputs + lane));
                (x * cosine - y * sine).Store(first + lane);
                (x * sine + y * cosine).Store(first + apart * PanelSize.Outputs + lane);
            }
        }
    }
}
