namespace Serving.Scheduling;

/// <summary>What decides the rounding of a sequence's rows, fixed when its request comes in.</summary>
/// <param name="Label">Pages are shared only under the same label.</param>
/// <param name="ExpandsGiven">
/// Whether tokens of the prompt are executed otherwise than generated ones, whose rows are then not shared: a later prompt would give them.
/// </param>
public readonly record struct NumericPath(string Label, bool ExpandsGiven = false);
