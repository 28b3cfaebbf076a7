using System.Collections.Immutable;
using Serving.Attention;
using Serving.Cache;

namespace Serving.Tests;

/// <summary>Prefixes that are found, and those that must not be.</summary>
public sealed class PageLedgerTests
{
    readonly List<PageTables> _all = [];

    static PageLedger Ledger(int pages, params RowPolicy[] rows) =>
        new(Layouts.Of(4, rows), new([.. Enumerable.Repeat(pages, rows.Length)]), sharePrefixes: true);

    static int[] Tokens(int count, int first = 0) => [.. Enumerable.Range(first, count)];

    (PageTables Tables, int? Shared) Admit(PageLedger ledger, int[] tokens, string seed = "", bool reuse = true)
    {
        var tables = new PageTables(ledger.Groups.Length);
        _all.Add(tables);
        var shared = ledger.TryAdmit(tables, tokens, new(seed, reuse, tokens.Length, 0));
        ledger.Check(_all);
        return (tables, shared);
    }

    /// <summary>Admits, computes, publishes and releases.</summary>
    int? Visit(PageLedger ledger, int[] tokens, string seed = "", bool reuse = true)
    {
        var (tables, shared) = Admit(ledger, tokens, seed, reuse);
        ledger.Publish(tables, tokens);
        ledger.Trim(tables, tokens.Length);
        ledger.Check(_all);
        ledger.Release(tables);
        ledger.Check(_all);
        return shared;
    }

    [Fact]
    public void Full_pages_are_shared_and_the_last_token_is_always_computed()
    {
        var ledger = Ledger(20, RowPolicy.All);
        Assert.Equal(0, Visit(ledger, Tokens(12)));
        Assert.Equal(8, Visit(ledger, Tokens(12)));
        Assert.Equal(12, Visit(ledger, Tokens(13)));
        Assert.Equal(4, Visit(ledger, [.. Tokens(7), 99, 8, 9]));
        Assert.Equal(0, Visit(ledger, Tokens(12, first: 1)));
    }

    [Fact]
    public void Salts_and_numeric_paths_keep_prefixes_apart_and_reports_compute_all()
    {
        var ledger = Ledger(20, RowPolicy.All);
        Visit(ledger, Tokens(12), "a");
        Assert.Equal(0, Visit(ledger, Tokens(12), "b"));
        Assert.Equal(8, Visit(ledger, Tokens(12), "a"));
        Assert.Equal(0, Visit(ledger, Tokens(12), "a", reuse: false));
    }

    [Fact]
    public void Heads_of_prefixes_outlive_their_tails()
    {
        var ledger = Ledger(8, RowPolicy.All);
        Visit(ledger, Tokens(24));
        Visit(ledger, Tokens(16, first: 100)); // takes the two empty pages and evicts two
        Assert.Equal(2, ledger.Evictions);
        Assert.Equal(16, Visit(ledger, Tokens(24)));
    }

    [Fact]
    public void Tokens_of_equal_hash_are_no_hit()
    {
        var layout = Layouts.Of(4, RowPolicy.All);
        var ledger = new PageLedger(layout, new([20]), new PrefixCache([20], 4, static (_, _) => 42));
        Visit(ledger, Tokens(12));
        Assert.Equal(0, Visit(ledger, Tokens(12, first: 50)));
        Assert.Equal(4, Visit(ledger, Tokens(12)));
    }

    [Fact]
    public void The_same_tokens_after_another_past_are_no_hit()
    {
        var layout = Layouts.Of(4, RowPolicy.All);
        var ledger = new PageLedger(layout, new([20]), new PrefixCache([20], 4, static (_, tokens) => tokens.IsEmpty ? 0 : (ulong)tokens[0]));
        Visit(ledger, [1, 1, 1, 1, 5, 5, 5, 5, 9]);
        Assert.Equal(4, Visit(ledger, [2, 2, 2, 2, 5, 5, 5, 5, 9]) + Visit(ledger, [2, 2, 2, 2, 5, 5, 5, 5, 9]));
    }

    [Fact]
    public void A_windowed_group_needs_only_the_pages_that_later_tokens_read()
    {
        var ledger = Ledger(20, RowPolicy.All, new RowPolicy(Window: 6));
        Visit(ledger, Tokens(32));
        var (tables, shared) = Admit(ledger, Tokens(40));
        Assert.Equal(32, shared);
        Assert.Equal((0, 6), (tables[0].First, tables[1].First)); // position 32 sees from 27 on
        Assert.Equal(10 + 4, tables[0].Held.Length + tables[1].Held.Length);
    }

    [Fact]
    public void A_windowed_group_that_lost_a_page_shortens_the_hit()
    {
        var layout = Layouts.Of(4, RowPolicy.All, new RowPolicy(Window: 6));
        var ledger = new PageLedger(layout, new([40, 9]), sharePrefixes: true);
        Visit(ledger, Tokens(32));
        Visit(ledger, Tokens(8, first: 100)); // evicts the oldest windowed page besides the empty one
        Assert.Equal(32, Visit(ledger, Tokens(33)));
        Visit(ledger, Tokens(28, first: 200));
        Assert.True(ledger.Evictions > 0);
        Assert.Equal(0, Visit(ledger, Tokens(33)) % 4);
        Visit(ledger, Tokens(36, first: 300)); // nothing of the first is left in the windowed group
        Assert.Equal(0, Visit(ledger, Tokens(33)));
    }

    [Fact]
    public void Too_few_pages_change_nothing()
    {
        var ledger = Ledger(8, RowPolicy.All);
        Visit(ledger, Tokens(9));
        var (_, first) = Admit(ledger, Tokens(24, first: 100));
        Assert.Equal(0, first);
        var (tables, second) = Admit(ledger, Tokens(13));
        Assert.Null(second);
        Assert.Equal(0, tables[0].Count);
        Assert.Equal(6, ledger.Pools[0].Held);
    }

    [Fact]
    public void Nothing_is_left_of_the_tree_when_all_pages_were_taken_anew()
    {
        var ledger = Ledger(8, RowPolicy.All);
        for (var i = 0; i < 10; i++) Visit(ledger, Tokens(32, first: 1000 * i), seed: $"salt {i}");
        Assert.InRange(ledger.Prefixes!.Count, 1, 9);
    }
}
