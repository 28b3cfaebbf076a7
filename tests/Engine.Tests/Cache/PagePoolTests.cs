using Serving.Cache;

namespace Serving.Tests;

public sealed class PagePoolTests
{
    [Fact]
    public void Empty_pages_go_first_and_then_the_longest_unused_kept_one()
    {
        var pool = new PagePool(4);
        int[] taken = [Take(), Take(), Take()];
        foreach (var page in taken[..2]) pool.Keep(page);
        pool.Drop(taken[1]);
        pool.Drop(taken[2]);
        pool.Drop(taken[0]);
        Assert.Equal((2, 2, 0), (pool.Empty, pool.Cached, pool.Held));
        Assert.Equal(taken[2], Take());
        Assert.Equal(3, Take());
        Assert.Equal((taken[1], true), (pool.Take(out var evicted), evicted));
        Assert.Equal((taken[0], true), (pool.Take(out evicted), evicted));
        Assert.Contains("All 4 pages are held", Assert.Throws<InvalidOperationException>(() => pool.Take(out _)).Message);

        int Take()
        {
            var page = pool.Take(out var lost);
            Assert.False(lost);
            return page;
        }
    }

    [Fact]
    public void A_free_page_with_content_is_revived_and_others_are_not()
    {
        var pool = new PagePool(2);
        var (kept, plain) = (pool.Take(out _), pool.Take(out _));
        pool.Keep(kept);
        pool.Drop(kept);
        pool.Drop(plain);
        pool.Share(kept);
        pool.Share(kept);
        Assert.Equal((2, 0, 1), (pool.Holders(kept), pool.Cached, pool.Held));
        Assert.Throws<InvalidOperationException>(() => pool.Share(plain));
        Assert.Throws<InvalidOperationException>(() => pool.Keep(plain));
        Assert.Throws<InvalidOperationException>(() => pool.Drop(plain));
        pool.Check();
    }

    [Fact]
    public void The_books_agree_after_any_order_of_moves()
    {
        for (var seed = 0; seed < 300; seed++)
        {
            var random = new Random(seed);
            var pool = new PagePool(random.Next(1, 12));
            var held = new List<int>();
            for (var move = 0; move < 60; move++)
            {
                var pick = held.Count > 0 ? held[random.Next(held.Count)] : -1;
                switch (random.Next(4))
                {
                    case 0 when pool.Available > 0:
                        held.Add(pool.Take(out _));
                        break;
                    case 1 when pick >= 0:
                        pool.Drop(pick);
                        held.Remove(pick);
                        break;
                    case 2 when pick >= 0:
                        pool.Keep(pick);
                        break;
                    case 3 when Enumerable.Range(0, pool.Pages).FirstOrDefault(pool.IsCached, -1) is >= 0 and var cached:
                        pool.Share(cached);
                        held.Add(cached);
                        break;
                }

                pool.Check();
                Assert.Equal(held.Distinct().Count(), pool.Held);
            }
        }
    }
}
