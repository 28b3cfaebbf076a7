namespace Serving.Devices.Cuda;

/// <summary>Graphs: launches that a stream took without running them, and that run as one.</summary>
sealed unsafe partial class CudaDriver
{
    delegate* unmanaged<nint, nint, int> _launchGraph;

    /// <summary>From here on a stream keeps what it is given and runs none of it. Other threads go on as before.</summary>
    public void BeginCapture(nint stream)
    {
        const int OfThisThread = 1;
        Call("cuStreamBeginCapture_v2", ((delegate* unmanaged<nint, int, int>)Find("cuStreamBeginCapture_v2"))(stream, OfThisThread));
    }

    /// <summary>What a stream kept since then, ready to run.</summary>
    public nint EndCapture(nint stream)
    {
        nint graph = 0, ready = 0;
        Call("cuStreamEndCapture", ((delegate* unmanaged<nint, nint*, int>)Find("cuStreamEndCapture"))(stream, &graph));
        var status = ((delegate* unmanaged<nint*, nint, ulong, int>)Find("cuGraphInstantiateWithFlags"))(&ready, graph, 0);
        Call("cuGraphDestroy", ((delegate* unmanaged<nint, int>)Find("cuGraphDestroy"))(graph));
        Call("cuGraphInstantiateWithFlags", status);
        return ready;
    }

    /// <summary>Ends a capture that failed; what was kept is forgotten.</summary>
    public void DropCapture(nint stream)
    {
        nint graph = 0;
        _ = ((delegate* unmanaged<nint, nint*, int>)Find("cuStreamEndCapture"))(stream, &graph);
        if (graph != 0) _ = ((delegate* unmanaged<nint, int>)Find("cuGraphDestroy"))(graph);
    }

    /// <summary>Runs a graph, in order on a stream.</summary>
    public void LaunchGraph(nint graph, nint stream)
    {
        if (_launchGraph is null) _launchGraph = (delegate* unmanaged<nint, nint, int>)Find("cuGraphLaunch");
        Call("cuGraphLaunch", _launchGraph(graph, stream));
    }

    /// <summary>Gives a graph back, once it has run where it was launched.</summary>
    public void DestroyGraph(nint graph) => Call("cuGraphExecDestroy", ((delegate* unmanaged<nint, int>)Find("cuGraphExecDestroy"))(graph));
}
