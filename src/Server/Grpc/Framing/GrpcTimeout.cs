using System.Globalization;

namespace Serving.Server.Grpc.Framing;

/// <summary>The time that a client gives a call, as the header grpc-timeout has it: at most eight digits and a unit.</summary>
static class GrpcTimeout
{
    const int MaxDigits = 8;

    /// <summary>Longer waits are no deadline: timers end at about 49 days.</summary>
    static readonly TimeSpan Longest = TimeSpan.FromDays(49);

    /// <summary>The time, or null where the client gives none that matters; throws for a header that cannot be read.</summary>
    public static TimeSpan? Read(string header)
    {
        if (header.Length == 0)
            return null;
        var ticks = header[^1] switch
        {
            'H' => TimeSpan.TicksPerHour,
            'M' => TimeSpan.TicksPerMinute,
            'S' => TimeSpan.TicksPerSecond,
            'm' => TimeSpan.TicksPerMillisecond,
            'u' => TimeSpan.TicksPerMicrosecond,
            'n' => 0,
            _ => -1L,
        };
        if (ticks < 0 || header.Length > MaxDigits + 1 || !long.TryParse(header.AsSpan(0, header.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var count))
            throw new GrpcException(StatusCode.InvalidArgument,
                "The header grpc-timeout cannot be read; send at most eight digits and one of H, M, S, m, u and n.");
        var time = TimeSpan.FromTicks(ticks > 0 ? count * ticks : count / TimeSpan.NanosecondsPerTick);
        return time < Longest ? time : null;
    }
}
