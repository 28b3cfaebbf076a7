using System.CommandLine;
namespace Serving.Server.Commands;
static class EvalCommand
{
    public static Command Create() => new("eval", "");
}
