// Generates WebSocket load on one thread. Prints one line of JSON; wire.h says what messages must look like.
//   sockets PORT FILE [name=value]...
// FILE: the handshake, see request-template.h.
//   does=speak|listen|wait
//     speak   each connection repeatedly asks for speech and gets `messages` messages of `size` bytes and a final one
//     listen  each connection sends recordings of `size` bytes, at most `window` of them unanswered
//     wait    nothing is sent but a ping now and then; what counts is the server's memory before and after
//   connections=64  seconds=1  warm=0.3  messages=20  size=16384  window=8  stagger=0 (microseconds between first requests)
//   patience=10 (seconds for all handshakes)  ping=0 (seconds between pings to the server; 0 = none)
//   pids=1,2  lines=FILE
#define _GNU_SOURCE
#include <signal.h>
#include "connection.h"
#include "option.h"
#include "report.h"
#include "request-template.h"
#include "server-cost.h"
#include "socket-frames.h"
#include "wire.h"

enum { HANDSHAKE, OPEN, GONE };
enum { SPEAK, LISTEN, WAIT };
enum { HANDSHAKES_AT_A_TIME = 32 };

typedef struct {
  outgoing o;
  int state;
  char head[8192];
  size_t head_have;
  frame_reader reader;
  char *message;
  uint64_t message_have;
  uint32_t id, place, in_flight, sent;
  uint64_t asked_at;
} connection;

static int port, connections = 64, does = SPEAK;
static uint32_t messages = 20, size = 0, window = 8;
static double seconds = 1, warm = 0.3, patience = 10, ping;
static uint64_t stagger_ns;

static connection *all;
static int is_measuring, open_count;
static uint64_t seen, bytes, wrong, broken;
static durations first, on_the_way;

static void lose(connection *c) {
  close(c->o.fd);
  c->state = GONE;
  broken++;
}

static void append_masked(connection *c, int op, const char *data, size_t length) {
  char *to = reserve(&c->o, length + 14);
  int header = write_frame_header((unsigned char *)to, op, length, 1);
  memcpy(to + header, data, length);
  mask(to + header, length, FRAME_MASK);
  c->o.have += (size_t)header + length;
}

static void ask_for_speech(connection *c) {
  static uint32_t last_id;
  char text[512];
  c->id = ++last_id;
  c->place = 0;
  c->asked_at = now_ns();
  append_masked(c, OP_TEXT, text, (size_t)sprintf(text,
    "{\"model_id\":\"sonic-3\",\"transcript\":\"The quick brown fox jumps over the lazy dog.\",\"voice\":{\"mode\":\"id\","
    "\"id\":\"a0e99841-438c-4a64-b679-ae501e7d6091\"},\"language\":\"en\",\"context_id\":\"ctx-%08x\",\"output_format\":{\"container\":\"raw\","
    "\"encoding\":\"pcm_s16le\",\"sample_rate\":24000}}", c->id));
  if (flush(&c->o, c)) lose(c);
}

static void send_recordings(connection *c) {
  static char data[FILLER_SIZE];
  memcpy(data, filler, size);
  while (c->state == OPEN && c->in_flight < window) {
    write_chunk_head(data, now_ns(), 0, c->sent++);
    append_masked(c, OP_BINARY, data, size);
    c->in_flight++;
    if (flush(&c->o, c)) lose(c);
  }
}

static void is_wrong(connection *c) {
  if (wrong++ < 3) fprintf(stderr, "wrong message in context %08x at %u: %.200s\n", c->id, c->place, c->message);
}

static void on_speech(connection *c, char *text, size_t length) {
  char right[512];
  if (c->place == messages) { // the final message of the context
    int right_length = sprintf(right, "{\"type\":\"done\",\"context_id\":\"ctx-%08x\",\"status_code\":200,\"done\":true}", c->id);
    if (length != (size_t)right_length || memcmp(text, right, length)) is_wrong(c);
    ask_for_speech(c);
    return;
  }
  const char *sent = memmem(text, length < 256 ? length : 256, SENT_MARK, sizeof SENT_MARK - 1);
  uint64_t sent_at = sent ? read_hex(sent + sizeof SENT_MARK - 1, STAMP) : 0;
  size_t head = (size_t)write_frame_head(right, c->id, c->place, sent_at), tail = sizeof FRAME_TAIL - 1;
  if (length != size || memcmp(text, right, head) || memcmp(text + head, filler, length - head - tail)) is_wrong(c);
  if (is_measuring) {
    add_duration(&on_the_way, now_ns() - sent_at);
    if (c->place == 0) add_duration(&first, now_ns() - c->asked_at);
    seen++;
  }
  c->place++;
}

static void on_transcript(connection *c, char *text, size_t length) {
  if (!memmem(text, length, "\"bad\":0,", 8)) is_wrong(c);
  const char *sent = memmem(text, length, SENT_MARK, sizeof SENT_MARK - 1);
  if (is_measuring) {
    seen++;
    bytes += size;
    if (sent) add_duration(&on_the_way, now_ns() - read_hex(sent + sizeof SENT_MARK - 1, STAMP));
  }
  c->in_flight--;
  send_recordings(c);
}

static void on_message(connection *c) {
  size_t length = c->reader.length;
  c->message[length] = 0;
  if (is_measuring && does == SPEAK) bytes += length;
  if (c->reader.op == OP_CLOSE) lose(c);
  else if (c->reader.op == OP_PONG && ping > 0) return;
  else if (c->reader.op == OP_PING) {
    append_masked(c, OP_PONG, c->message, length);
    if (flush(&c->o, c)) lose(c);
  } else if (c->reader.op != OP_TEXT || c->reader.masked) is_wrong(c);
  else if (does == SPEAK) on_speech(c, c->message, length);
  else if (does == LISTEN) on_transcript(c, c->message, length);
}

static void on_frames(connection *c, const char *data, size_t n) {
  while (n && c->state == OPEN) {
    size_t used;
    frame_reader *r = &c->reader;
    if (!r->in_payload) {
      used = read_frame_header(r, data, n);
      if (r->in_payload) {
        c->message = realloc(c->message, r->length + 1);
        c->message_have = 0;
      }
    } else {
      used = r->left < n ? r->left : n;
      memcpy(c->message + c->message_have, data, used);
      c->message_have += used;
      r->left -= used;
    }
    if (r->in_payload && r->left == 0) {
      r->in_payload = 0;
      on_message(c);
    }
    data += used, n -= used;
  }
}

static void on_handshake(connection *c, const char *data, size_t n) {
  size_t had = c->head_have, take = sizeof c->head - 1 - had < n ? sizeof c->head - 1 - had : n;
  memcpy(c->head + had, data, take);
  c->head_have += take;
  c->head[c->head_have] = 0;
  char *end = strstr(c->head, "\r\n\r\n");
  if (!end && take == n) return;
  if (!end || strncmp(c->head + 9, "101", 3)) {
    if (broken < 3) fprintf(stderr, "handshake refused: %s\n", c->head);
    lose(c);
    return;
  }
  size_t used = (size_t)(end + 4 - c->head) - had;
  c->state = OPEN;
  open_count++;
  on_frames(c, data + used, n - used);
}

static void handle(struct epoll_event *event) {
  static char in[1 << 18];
  connection *c = event->data.ptr;
  if (event->events & EPOLLOUT && flush(&c->o, c)) lose(c);
  if (c->state == GONE || !(event->events & (EPOLLIN | EPOLLHUP | EPOLLERR))) return;
  ssize_t n = read(c->o.fd, in, sizeof in);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) lose(c);
  else if (c->state == HANDSHAKE) on_handshake(c, in, (size_t)n);
  else on_frames(c, in, (size_t)n);
}

static void wait_for_events(uint64_t until) {
  struct epoll_event events[512];
  uint64_t now = now_ns(), wait = until > now ? until - now : 0;
  struct timespec timeout = {(time_t)(wait / 1000000000), (long)(wait % 1000000000)};
  int ready = epoll_pwait2(epoll_fd, events, 512, &timeout, 0);
  for (int i = 0; i < ready; i++) handle(&events[i]);
}

// Opens a few at a time: a server's accept queue is limited.
static void open_all(void) {
  uint64_t until = now_ns() + (uint64_t)(patience * 1e9);
  for (int begun = 0; open_count + (int)broken < connections;) {
    while (begun < connections && begun - open_count - (int)broken < HANDSHAKES_AT_A_TIME) {
      connection *c = &all[begun++];
      open_connection(&c->o, c, port);
      if (line_count && next_line == line_count) next_line = 0;
      append_request(&c->o, (uint32_t)begun);
      if (flush(&c->o, c)) lose(c);
    }
    if (now_ns() > until) {
      fprintf(stderr, "only %d of %d handshakes within %g s\n", open_count, connections, patience);
      exit(3);
    }
    wait_for_events(until);
  }
}

static void ping_all(void) {
  for (int i = 0; i < connections; i++) {
    if (all[i].state != OPEN) continue;
    append_masked(&all[i], OP_PING, "", 0);
    if (flush(&all[i].o, &all[i])) lose(&all[i]);
  }
}

static void read_option(const char *option) {
  const char *value = value_of(option);
  if (IS("does")) does = *value == 's' ? SPEAK : *value == 'l' ? LISTEN : WAIT;
  else if (IS("connections")) connections = atoi(value);
  else if (IS("seconds")) seconds = atof(value);
  else if (IS("warm")) warm = atof(value);
  else if (IS("messages")) messages = (uint32_t)atoi(value);
  else if (IS("size")) size = (uint32_t)atoi(value);
  else if (IS("window")) window = (uint32_t)atoi(value);
  else if (IS("stagger")) stagger_ns = strtoull(value, 0, 10) * 1000;
  else if (IS("patience")) patience = atof(value);
  else if (IS("ping")) ping = atof(value);
  else if (IS("pids")) name_servers(value);
  else if (IS("lines")) read_lines(value);
  else exit(1);
}

int main(int count, char **arguments) {
  if (count < 3) return 1;
  signal(SIGPIPE, SIG_IGN);
  make_filler();
  port = atoi(arguments[1]);
  request = read_whole(arguments[2]);
  for (int i = 3; i < count; i++) read_option(arguments[i]);
  if (size == 0) size = does == SPEAK ? 16384 : 3200;
  epoll_fd = epoll_create1(0);
  all = calloc((size_t)connections, sizeof *all);

  long rss_before = server_rss_kb();
  uint64_t opened_at = now_ns();
  open_all();
  uint64_t began_at = now_ns();
  for (int i = 0; i < connections && does != WAIT; i++) {
    for (uint64_t at = began_at + stagger_ns * (uint64_t)i; now_ns() < at;) wait_for_events(at);
    if (all[i].state != OPEN) continue;
    if (does == SPEAK) ask_for_speech(&all[i]);
    else send_recordings(&all[i]);
  }
  for (uint64_t at = now_ns() + (uint64_t)(warm * 1e9); now_ns() < at;) wait_for_events(at);
  is_measuring = 1;
  uint64_t cpu = server_cpu_ns(), own = own_cpu_ns(), start = now_ns(), end_at = start + (uint64_t)(seconds * 1e9);
  uint64_t ping_ns = (uint64_t)(ping * 1e9), ping_at = ping_ns ? start + ping_ns : end_at;
  while (now_ns() < end_at) {
    wait_for_events(ping_at < end_at ? ping_at : end_at);
    if (ping_ns && now_ns() >= ping_at) ping_all(), ping_at += ping_ns;
  }
  cpu = server_cpu_ns() - cpu;
  own = own_cpu_ns() - own;
  printf("{\"seconds\":%.4f,\"messages\":%lu,\"bytes\":%lu,\"errors\":%lu,\"open\":%d,\"openSeconds\":%.2f,\"cpuUs\":%.1f,\"loadCpuUs\":%.1f,\"rssBeforeKb\":%ld,\"rssKb\":%ld",
         (double)(now_ns() - start) / 1e9, seen, bytes, wrong + broken, open_count, (double)(began_at - opened_at) / 1e9, (double)cpu / 1e3, (double)own / 1e3, rss_before, server_rss_kb());
  print_durations("latencyUs", &first);
  print_durations("chunkUs", &on_the_way);
  printf("}\n");
  return 0;
}
