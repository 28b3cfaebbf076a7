using Serving.Devices;

namespace Serving.Tests;

/// <summary>Routing to experts, their products and the sum of their outputs.</summary>
public abstract class ExpertConformance(Func<int, IDevice> create) : DeviceConformance(create)
{
    public static TheoryData<string, RoutingRule> Rules => new()
    {
        { "softmax", new(8, 2, RouterScore.Softmax) { Renormalize = true } },
        { "softmax, not renormalised", new(60, 4, RouterScore.Softmax) },
        { "softmax, scaled", new(12, 3, RouterScore.Softmax) { Scale = 6 } },
        { "softmax of chosen", new(32, 4, RouterScore.SoftmaxOfChosen) },
        { "sigmoid, groups by two best", new(64, 6, RouterScore.Sigmoid) { Groups = 8, KeptGroups = 3, Rank = GroupRank.TwoBest, Renormalize = true, Scale = 2.5f } },
        { "softmax, groups by best", new(16, 3, RouterScore.Softmax) { Groups = 4, KeptGroups = 2 } },
        { "all that are kept", new(6, 3, RouterScore.Sigmoid) { Groups = 2, KeptGroups = 1 } },
        { "one of one", new(1, 1, RouterScore.Sigmoid) },
        { "one group an expert", new(5, 2, RouterScore.Sigmoid) { Groups = 5, KeptGroups = 3, Rank = GroupRank.TwoBest } },
        { "many", new(257, 8, RouterScore.Sigmoid) { Renormalize = true } },
    };

    [Theory, MemberData(nameof(Rules))]
    public void Routes_agree_with_the_reference(string name, RoutingRule rule)
    {
        foreach (var biased in new[] { false, true })
            Agrees($"{name}, bias {biased}", lab =>
            {
                var logits = lab.Draw(13, 1, rule.Experts, 4);
                var routed = lab.BlankRoutes(13, rule.Chosen);
                lab.Device.Route(rule, logits, biased ? lab.Draw(1, 1, rule.Experts) : default, routed);
                return [.. lab.ReadIds(routed).Select(id => (float)id), .. lab.Read(routed.Weights)];
            });
    }

    [Fact]
    public void Ties_go_to_the_lowest_index()
    {
        using var lab = new DeviceLab(Device(), 1, loose: false);
        var routed = lab.BlankRoutes(1, 3);
        lab.Device.Route(new(6, 3, RouterScore.Softmax), lab.Put([1, 2, 1, 2, 1, 1], 1, 1, 6), default, routed);
        Assert.Equal([1, 3, 0], lab.ReadIds(routed));
    }

    [Fact]
    public void A_bias_moves_the_choice_and_not_the_weights()
    {
        using var lab = new DeviceLab(Device(), 1, loose: false);
        var routed = lab.BlankRoutes(1, 2);
        lab.Device.Route(new(4, 2, RouterScore.Sigmoid), lab.Put([0, 0, 2, 2], 1, 1, 4), lab.Put([3, 0, 0, 1], 1, 1, 4), routed);
        Assert.Equal([0, 3], lab.ReadIds(routed));
        Near("weights", [0.5f, 1 / (1 + MathF.Exp(-2))], lab.Read(routed.Weights), null, 1e-6);
    }

    [Fact]
    public void An_expert_of_a_rejected_group_is_never_chosen_even_where_all_scores_are_negative()
    {
        using var lab = new DeviceLab(Device(), 1, loose: false);
        var rule = new RoutingRule(6, 2, RouterScore.Sigmoid) { Groups = 3, KeptGroups = 1, Rank = GroupRank.TwoBest };
        var routed = lab.BlankRoutes(1, 2);
        lab.Device.Route(rule, lab.Put([0, 0, 0, 0, 0, 0], 1, 1, 6), lab.Put([-1, -9, -4, -5, -6, -6], 1, 1, 6), routed);
        Assert.Equal([2, 3], lab.ReadIds(routed));
    }

    [Fact]
    public void Routes_of_a_row_depend_on_that_row_alone() => RowsStandAlone("routes", (lab, ids) =>
    {
        var rule = new RoutingRule(64, 6, RouterScore.Softmax) { Renormalize = true };
        var routed = lab.BlankRoutes(ids.Length, 6);
        lab.Device.Route(rule, lab.DrawRows(ids, 1, 64), default, routed);
        return lab.Read(routed.Weights);
    });

    [Theory]
    [InlineData(StoredType.F32, 33, 7), InlineData(StoredType.BF16, 65, 33), InlineData(StoredType.F16, 31, 40)]
    [InlineData(StoredType.Q8_0, 64, 33), InlineData(StoredType.Q4_0, 96, 5), InlineData(StoredType.Q4_1, 32, 17), InlineData(StoredType.Q5_0, 32, 9)]
    [InlineData(StoredType.Q5_1, 64, 3), InlineData(StoredType.Q4K, 256, 33), InlineData(StoredType.Q5K, 256, 8), InlineData(StoredType.Q6K, 512, 6)]
    public void Experts_multiply_the_rows_that_chose_them(StoredType type, int inputs, int outputs)
    {
        foreach (var rows in RowCounts)
            foreach (var own in new[] { false, true })
                Agrees($"{type.Name()} experts of {outputs} x {inputs} on {rows} rows, own rows {own}", lab =>
                {
                    var experts = lab.Device.Load(lab.Stored(type, 5, outputs, inputs));
                    var routed = lab.Routed(Ids([.. Enumerable.Range(0, rows)], 5), lab.Values(rows * 3), 3);
                    var (source, destination) = (lab.Draw(own ? rows * 3 : rows, 1, inputs), lab.Blank(rows * 3, 1, outputs));
                    lab.Device.MultiplyExperts(experts, source, own ? lab.Draw(5, 1, outputs) : default, routed, destination);
                    lab.Sizes = [.. Enumerable.Repeat(MathF.Sqrt(inputs) * 4, rows * 3 * outputs)];
                    return lab.Read(destination);
                });
    }

    [Fact]
    public void Experts_past_the_stack_give_zeros() => Agrees("experts without weights", lab =>
    {
        var experts = lab.Device.Load(lab.Stored(StoredType.BF16, 2, 40, 40));
        var routed = lab.Routed(Ids([0, 1, 2, 3, 4], 4), lab.Values(15), 3);
        var destination = lab.Draw(15, 1, 40);
        lab.Device.MultiplyExperts(experts, lab.Draw(5, 1, 40), lab.Draw(2, 1, 40), routed, destination);
        return lab.Read(destination);
    });

    [Fact]
    public void Expert_products_of_a_row_depend_on_that_row_alone() => RowsStandAlone("experts", (lab, ids) =>
    {
        var experts = lab.Device.Load(lab.Stored(StoredType.Q8_0, 5, 33, 96));
        var routed = lab.Routed(Ids(ids, 6), new float[ids.Length * 3], 3);
        var destination = lab.Blank(ids.Length * 3, 1, 33);
        lab.Device.MultiplyExperts(experts, lab.DrawRows(ids, 1, 96), lab.Draw(5, 1, 33), routed, destination);
        return lab.Read(destination);
    });

    [Fact]
    public void Outputs_of_experts_add_up_by_weight() => Agrees("combine", lab =>
    {
        var routed = lab.Routed(new int[39], lab.Values(39), 3);
        var (source, destination) = (lab.Draw(39, 1, 71), lab.Draw(13, 1, 71));
        lab.Device.CombineExperts(source, destination, 1, routed, destination);
        return lab.Read(destination);
    });

    [Fact]
    public void An_expert_past_the_given_number_is_the_identity() => Agrees("identity experts", lab =>
    {
        var routed = lab.Routed(Ids([.. Enumerable.Range(0, 13)], 5), lab.Values(39), 3);
        var (source, destination) = (lab.Draw(39, 1, 71), lab.Draw(13, 1, 71));
        lab.Device.CombineExperts(source, lab.Draw(13, 1, 71), 3, routed, destination);
        return lab.Read(destination);
    });

    [Fact]
    public void A_combined_row_depends_on_that_row_alone() => RowsStandAlone("combine", (lab, ids) =>
    {
        var outputs = lab.DrawRows(ids, 3, 71);
        var source = Tensor.Matrix(outputs.Address, ids.Length * 3, 71);
        var weights = lab.Read(lab.DrawRows(ids, 1, 3, salt: 1));
        var destination = lab.DrawRows(ids, 1, 71, salt: 2);
        lab.Device.CombineExperts(source, lab.DrawRows(ids, 1, 71, salt: 3), 3, lab.Routed(Ids(ids, 5), weights, 3), destination);
        return lab.Read(destination);
    });

    [Fact]
    public void A_rule_that_cannot_be_met_is_refused_with_its_numbers()
    {
        using var lab = new DeviceLab(Device(), 1, loose: false);
        var rule = new RoutingRule(8, 5, RouterScore.Softmax) { Groups = 4, KeptGroups = 2 };
        var (logits, routed) = (lab.Draw(1, 1, 8), lab.BlankRoutes(1, 5));
        Assert.Contains("5 of 8 experts in 2 of 4 groups",
            Assert.ThrowsAny<ArgumentException>(() => lab.Device.Route(rule, logits, default, routed)).Message);
    }

    // Uneven on purpose: some experts are popular, some unused, one row names three different ones.
    static int[] Ids(int[] rows, int experts) =>
        [.. rows.SelectMany(row => new[] { row * row % experts, (row * row + 1) % experts, (row * row + 3) % experts })];
}
