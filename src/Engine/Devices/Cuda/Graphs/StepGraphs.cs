namespace Serving.Devices.Cuda;

/// <summary>
/// Steps that are repeated become graphs, which are found by their launches. The launches of a step that is like none before run one by one and are
/// kept in a list. In a later step they wait as long as each is the one of the list; at the step's end all of them are one launch of a graph, which
/// is made when a list comes for the second time. The first that differs ends the waiting: what waited is launched, and the step makes a list of its own.
/// So nothing is assumed of a step: a graph runs only where it is, to the last byte, what would have been launched.
/// </summary>
sealed class StepGraphs(CudaDriver driver, nint stream, Action<string> tell) : IDisposable
{
    /// <summary>Most lists; of more, those go that were not used for the longest.</summary>
    public const int Most = 64;

    enum State
    {
        /// <summary>Launches run.</summary>
        Plain,

        /// <summary>None was asked for yet.</summary>
        Begun,

        /// <summary>Launches run and are kept.</summary>
        Recording,

        /// <summary>Launches wait, each like its place in the list.</summary>
        Waiting,
    }

    // In order of their last use.
    readonly List<LaunchList> _lists = [];
    readonly LaunchList _empty = new();
    LaunchList _list = new();
    State _state;
    bool _repeats, _refused;
    int _count;

    /// <summary>Whether the driver makes graphs, as far as is known.</summary>
    public bool Works => !_refused;

    /// <summary>Whether the step at hand may be repeated.</summary>
    public bool Repeats => _repeats;

    /// <summary>Whether launches were asked for that a list has to have in their place.</summary>
    public bool Keeps => _state is State.Recording or State.Waiting;

    /// <summary>Another number whenever launches begin to wait anew. What a launch reads must not change before the number has.</summary>
    public int Turn { get; private set; }

    /// <summary>Begins a step, one that may be repeated or one that runs as it comes.</summary>
    public void Begin(bool repeats)
    {
        End();
        _repeats = repeats && Works;
        _state = _repeats ? State.Begun : State.Plain;
        Turn++;
    }

    /// <summary>Takes a launch; false where it has to run now.</summary>
    public bool Takes<T>(Launch launch, in T argument) where T : unmanaged
    {
        if (_state == State.Plain) return false;
        if (_state == State.Begun) (_list, _count, _state) = (_empty, 0, State.Waiting);
        if (_state == State.Waiting)
        {
            if (Follows(_list, launch, argument)) return true;
            for (var i = _lists.Count - 1; i >= 0; i--)
                if (_lists[i].Begins(_list, _count) && Follows(_lists[i], launch, argument))
                {
                    _list = _lists[i];
                    return true;
                }
            _list.Run(driver, stream, _count);
            (_list, _state) = (_list.Take(_count), State.Recording);
        }
        _list.Add(launch, argument);
        return false;
    }

    /// <summary>Launches what waits, and the rest of the step as it comes: something happens that no graph can have in it.</summary>
    public void Settle()
    {
        if (!Keeps) return;
        if (_state == State.Waiting) _list.Run(driver, stream, _count);
        _state = State.Plain;
    }

    /// <summary>Launches what waits: its results are wanted. What follows in the step is a list of its own.</summary>
    public void End()
    {
        if (_state == State.Waiting && Whole() is { } whole) Run(whole);
        else if (_state == State.Waiting)
        {
            _list.Run(driver, stream, _count);
            Keep(_list.Take(_count));
        }
        else if (_state == State.Recording) Keep(_list);
        if (Keeps) _state = State.Begun;
        Turn++;
    }

    /// <summary>Gives the graphs back.</summary>
    public void Dispose()
    {
        foreach (var list in _lists) Forget(list);
        _lists.Clear();
    }

    bool Follows<T>(LaunchList list, Launch launch, in T argument) where T : unmanaged
    {
        if (!list.Is(_count, launch, argument)) return false;
        _count++;
        return true;
    }

    // The list of just what waits.
    LaunchList? Whole() => _list.Count == _count ? _list : _lists.FindLast(list => list.Count == _count && list.Begins(_list, _count));

    void Run(LaunchList list)
    {
        _lists.Remove(list);
        _lists.Add(list);
        if (list.Graph == 0) list.Graph = Make(list);
        if (list.Graph == 0) list.Run(driver, stream, list.Count);
        else driver.LaunchGraph(list.Graph, stream);
    }

    nint Make(LaunchList list)
    {
        if (_refused) return 0;
        try
        {
            driver.BeginCapture(stream);
            try
            {
                list.Run(driver, stream, list.Count);
            }
            catch
            {
                driver.DropCapture(stream);
                throw;
            }
            return driver.EndCapture(stream);
        }
        catch (CudaException error)
        {
            _refused = true;
            tell($"Steps are launched kernel by kernel, which takes more of the host's time: {error.Message}");
            return 0;
        }
    }

    void Keep(LaunchList list)
    {
        if (_lists.Count == Most)
        {
            Forget(_lists[0]);
            _lists.RemoveAt(0);
        }
        _lists.Add(list);
    }

    void Forget(LaunchList list)
    {
        if (list.Graph != 0) driver.DestroyGraph(list.Graph);
        list.Graph = 0;
    }
}
