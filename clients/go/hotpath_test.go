package hotpath

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

var noon = time.Date(2024, 1, 15, 12, 0, 0, 0, time.UTC)

// newClient has an empty server with all libraries, whose address is in HOTPATH_TEST_URL.
func newClient(t *testing.T, options ...Option) (*Client, *redis.Client) {
	t.Helper()
	address := os.Getenv("HOTPATH_TEST_URL")
	if address == "" {
		t.Skip("HOTPATH_TEST_URL is not set")
	}
	parsed, err := redis.ParseURL(address)
	must(t, err)
	rdb := redis.NewClient(parsed)
	t.Cleanup(func() { _ = rdb.Close() })
	must(t, rdb.FlushDB(context.Background()).Err())
	return New(rdb, options...), rdb
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want[T comparable](t *testing.T, what string, got, wanted T) {
	t.Helper()
	if got != wanted {
		t.Errorf("%s is %v, not %v", what, got, wanted)
	}
}

func TestCountsEventsAndReadsDocuments(t *testing.T) {
	client, _ := newClient(t)
	ctx := context.Background()
	reply, err := client.TrackEvents(ctx, []Event{
		{URL: "https://www.rtl.lu/news/", UUI: "a", Dt: noon, Audio: Some("song")},
		{URL: "https://www.rtl.lu/news/", UUI: "b", Dt: noon, Audio: Null[string]()},
		{URL: "nowhere", UUI: "b", Dt: noon},
	}, &TrackEventsOptions{Now: noon})
	must(t, err)
	want(t, "accepted", reply.Accepted, 2)
	want(t, "the code", reply.Errors[0].Code, "BADEVENT")
	found, err := client.IdentifyUrl(ctx, "https://www.rtl.lu/news/")
	must(t, err)
	counted, err := client.CountPg(ctx, "W", found.WebsiteID, noon, noon.Add(time.Minute), &CountPgOptions{Now: noon})
	must(t, err)
	want(t, "value", counted.Value, 2)
	want(t, "to", counted.To, noon.Add(time.Minute))
	devices, err := client.GetDevices(ctx, "W", found.WebsiteID, noon, noon.Add(time.Minute), &GetDevicesOptions{Now: noon})
	must(t, err)
	want(t, "devices", string(devices.Devices[0][:4]), "HYLL")
	raw, err := client.GetDocument(ctx, "P", found.PageID, nil)
	must(t, err)
	var page Page
	must(t, json.Unmarshal(raw, &page))
	want(t, "the website", page.Website.Name, "RTL.LU")
	want(t, "the last visit", *page.LastVisited, noon)
	none, err := client.GetDocument(ctx, "P", fmt.Sprintf("%040d", 0), nil)
	must(t, err)
	want(t, "no document", none == nil, true)
}

func TestErrorsHaveCodes(t *testing.T) {
	client, rdb := newClient(t)
	ctx := context.Background()
	_, err := client.GetTopic(ctx, "none")
	if !errors.Is(err, ErrNotFound) || errors.Is(err, ErrConflict) {
		t.Errorf("not NOTFOUND: %v", err)
	}
	var own *Error
	if !errors.As(err, &own) || own.Function != "get_topic" {
		t.Errorf("not our error: %v", err)
	}
	_, err = client.TrackEvents(ctx, make([]Event, 1001), nil)
	if !errors.Is(err, ErrLimit) {
		t.Errorf("not LIMIT: %v", err)
	}
	must(t, rdb.Set(ctx, "H:TRACKER::::", "foreign", 0).Err())
	if _, err = client.GetTrackerConfig(ctx); !errors.Is(err, ErrConflict) {
		t.Errorf("not CONFLICT: %v", err)
	}
}

func TestTasksGoOutUnderALeaseAndEnd(t *testing.T) {
	client, _ := newClient(t, WithPartition("shop"))
	ctx := context.Background()
	must(t, client.DefineTask(ctx, "fetch", &DefineTaskOptions{Pre: Ptr(""), Backoff: Ptr(time.Duration(0))}))
	type job struct {
		Type string `json:"type"`
		N    int64  `json:"n"`
	}
	id, err := client.EnqueueTask(ctx, "q", job{"fetch", 1<<60 + 1}, &EnqueueTaskOptions{Priority: Ptr(int64(0))})
	must(t, err)
	task, err := client.ClaimTask(ctx, "q", nil)
	must(t, err)
	want(t, "the id", task.ID, id)
	var payload job
	must(t, json.Unmarshal(task.Payload, &payload))
	want(t, "the payload", payload, job{"fetch", 1<<60 + 1})
	must(t, client.FinishTask(ctx, task.ID, &FinishTaskOptions{Token: task.Token, Result: map[string]int{"pages": 2}}))
	none, err := client.ClaimTask(ctx, "q", nil)
	must(t, err)
	want(t, "no task", none == nil, true)
}

func TestPagesAreGoneThroughAsTheyAreTaken(t *testing.T) {
	client, _ := newClient(t)
	ctx := context.Background()
	must(t, client.DefineTask(ctx, "fetch", nil))
	for at := range 7 {
		_, err := client.EnqueueTask(ctx, "q", map[string]string{"type": "fetch"}, &EnqueueTaskOptions{ID: fmt.Sprint(at)})
		must(t, err)
	}
	for _, from := range []int64{0, 5} {
		at := from
		for task, err := range client.AllListTasks(ctx, "q", &ListTasksOptions{Count: 3, Offset: Ptr(from)}) {
			must(t, err)
			want(t, "the id", task.ID, fmt.Sprint(at))
			at++
		}
		want(t, "the end", at, 7)
	}
	events := make([]Event, 20)
	for at := range events {
		events[at] = Event{URL: fmt.Sprintf("https://a.lu/%d", at), UUI: "a", Dt: noon}
	}
	_, err := client.TrackEvents(ctx, events, &TrackEventsOptions{Now: noon})
	must(t, err)
	calls := 0
	for _, err := range client.AllRotatePg(ctx, &RotatePgOptions{Limit: 10, Now: noon.Add(5 * time.Minute)}) {
		must(t, err)
		calls++
	}
	want(t, "more than one call", calls > 1, true)
	for _, err := range client.AllListNotifications(ctx, "none", nil) {
		want(t, "the error", errors.Is(err, ErrNotFound), true)
	}
}

func TestTableHasTheOperationsOfGigAPI(t *testing.T) {
	client, _ := newClient(t)
	ctx := context.Background()
	table := NewTableIndex(client, "default", "test")
	start := time.Date(2024, 1, 13, 0, 0, 0, 0, time.UTC)
	entries := make([]*IndexEntry, 3*24*60)
	for at := range entries {
		current := start.Add(time.Duration(at) * time.Minute)
		entries[at] = &IndexEntry{
			Path:      fmt.Sprintf("date=%s/hour=%02d/%d.1.parquet", current.Format("2006-01-02"), current.Hour(), at),
			SizeBytes: 1000000, MinTime: current.UnixNano(), MaxTime: current.UnixNano() + 1,
			Max: map[string]int64{"span": 1<<63 - 1},
		}
	}
	done, err := table.Batch(ctx, entries, nil)
	must(t, err)
	want(t, "all of them", done, int64(len(entries)))
	found, err := table.Get(ctx, entries[0].Path)
	must(t, err)
	want(t, "the time", found.MinTime, entries[0].MinTime)
	want(t, "the greatest value", fmt.Sprintf("%s", found.Max), `{"span":9223372036854775807}`)
	days := 0
	day := QueryOptions{After: start.Add(24 * time.Hour), Before: start.Add(48*time.Hour - time.Nanosecond)}
	for _, err := range table.Query(ctx, day) {
		must(t, err)
		days++
	}
	want(t, "files of a day", days, 24*60)
	_, err = table.Batch(ctx, nil, entries[:1])
	must(t, err)
	found, err = table.Get(ctx, entries[0].Path)
	must(t, err)
	want(t, "no file", found == nil, true)
	plan, err := client.GetMergePlan(ctx, "default", "test", 1, "", "", &GetMergePlanOptions{Now: time.Now().Add(time.Minute)})
	must(t, err)
	ended, err := table.EndMerge(ctx, plan)
	must(t, err)
	want(t, "ended", ended, true)
	ended, err = table.EndMerge(ctx, plan)
	must(t, err)
	want(t, "ended again", ended, false)
}

// losing forwards to the server, and cuts the connection instead of handing on so many replies to FCALL.
type losing struct {
	mutex  sync.Mutex
	losses int
	seen   []string
}

func (l *losing) serve(near net.Conn, target string) {
	defer func() { _ = near.Close() }()
	far, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer func() { _ = far.Close() }()
	request, reply := make([]byte, 65536), make([]byte, 65536)
	for {
		sent, err := near.Read(request)
		if err != nil {
			return
		}
		_, _ = far.Write(request[:sent])
		got, err := far.Read(reply)
		if err != nil && err != io.EOF {
			return
		}
		if text := string(request[:sent]); len(text) > 20 && text[0] == '*' && containsFcall(text) {
			l.mutex.Lock()
			l.seen = append(l.seen, text)
			isLost := l.losses > 0
			l.losses--
			l.mutex.Unlock()
			if isLost {
				return
			}
		}
		_, _ = near.Write(reply[:got])
	}
}

func containsFcall(text string) bool {
	for at := 0; at+5 <= len(text); at++ {
		if name := text[at : at+5]; name == "fcall" || name == "FCALL" {
			return true
		}
	}
	return false
}

func losingClient(t *testing.T, options ...Option) (*Client, *losing) {
	t.Helper()
	_, rdb := newClient(t)
	proxy := &losing{losses: 2}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			go proxy.serve(near, rdb.Options().Addr)
		}
	}()
	through := redis.NewClient(&redis.Options{
		Addr: listener.Addr().String(), MaxRetries: -1, Protocol: 2, DisableIdentity: true,
	})
	t.Cleanup(func() { _ = through.Close() })
	return New(through, options...), proxy
}

func TestWhatReadsIsAskedAgainAfterALostReply(t *testing.T) {
	client, proxy := losingClient(t)
	_, err := client.ListTopics(context.Background())
	must(t, err)
	want(t, "attempts", len(proxy.seen), 3)
}

func TestWhatCountsTwiceIsNotSentAgainWithoutOnce(t *testing.T) {
	client, proxy := losingClient(t, WithoutOnce())
	_, err := client.TrackEvents(context.Background(), []Event{{URL: "https://a.lu/", UUI: "a", Dt: noon}}, nil)
	want(t, "an error", err != nil, true)
	want(t, "attempts", len(proxy.seen), 1)
}

func TestACallThatWritesKeepsItsNameInAllAttempts(t *testing.T) {
	client, proxy := losingClient(t)
	named := spec{name: "define_task", takesOnce: true}
	c := call{spec: &named}
	c.add("fetch")
	err := client.tell(context.Background(), &c)
	// A library that knows no ONCE refuses it; what is sent is the same in all attempts.
	if err != nil && !errors.Is(err, ErrBadArg) {
		t.Fatal(err)
	}
	want(t, "attempts", len(proxy.seen), 3)
	want(t, "the second", proxy.seen[1], proxy.seen[0])
	want(t, "the third", proxy.seen[2], proxy.seen[0])
}
