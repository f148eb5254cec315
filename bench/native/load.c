// Generates HTTP load on one thread. Prints one line of JSON; wire.h says what responses must look like.
//   load PORT FILE [name=value]...
// FILE: see request-template.h.
//   connections=64  rate=0 (requests per second; 0 = each connection sends the next request after each response)
//   seconds=1  warm=0.3  answers=small|minted|stream|any  chunks=32  size=3200  pids=1,2
//   lines=FILE  once=0|1 (stop when every line has been used)
#define _GNU_SOURCE
#include <signal.h>
#include "connection.h"
#include "option.h"
#include "report.h"
#include "request-template.h"
#include "server-cost.h"
#include "wire.h"

enum { FREE, IN_HEAD, IN_BODY };
enum { SMALL, MINTED, STREAM, ANY };
enum framing { BY_LENGTH, CHUNKED };
enum chunk_part { SIZE, EXTENSION, DATA, DATA_CR, DATA_LF, END_CR, END_LF };

typedef struct {
  outgoing o;
  int state, is_right;
  uint32_t id;
  uint64_t due_at;
  char head[8192];
  size_t head_have;
  enum framing framing;
  enum chunk_part part;
  uint64_t left;    // of the body, or of the chunk of the transfer coding
  uint64_t body_at; // position in the body
  char expected[1024];
  size_t expected_length;
  char chunk_head[CHUNK_HEAD];
} connection;

static int port, connections = 64, answers = SMALL, once;
static uint32_t chunks = 32, chunk_size = 3200;
static double rate, seconds = 1, warm = 0.3;

static int all_used, busy;
static connection *all, **unused;
static int unused_count;

static int is_measuring;
static uint64_t done, wrong, broken, bytes, chunks_seen;
static durations whole, on_the_way;
static uint64_t first_due_at, begun, due; // open loop: requests that have begun, and that should have

static void fail_connection(connection *c);

static void check_body(connection *c, const char *data, size_t n) {
  if (is_measuring) bytes += n;
  if (answers != STREAM) {
    size_t fits = c->body_at < c->expected_length ? c->expected_length - c->body_at : 0;
    if (answers == SMALL && (n > fits || memcmp(data, c->expected + c->body_at, n))) c->is_right = 0;
    if (answers == MINTED) { // kept whole and searched at the end: the broker returns more than the token
      if (c->body_at + n < sizeof c->expected) memcpy(c->expected + c->body_at, data, n);
      else c->is_right = 0;
    }
    c->body_at += n;
    return;
  }
  while (n) {
    size_t at = c->body_at % chunk_size, take = chunk_size - at < n ? chunk_size - at : n;
    if (at < CHUNK_HEAD) {
      if (take > CHUNK_HEAD - at) take = CHUNK_HEAD - at;
      memcpy(c->chunk_head + at, data, take);
      if (at + take == CHUNK_HEAD) {
        char right[CHUNK_HEAD];
        write_chunk_head(right, 0, c->id, (uint32_t)(c->body_at / chunk_size));
        if (memcmp(right + STAMP, c->chunk_head + STAMP, CHUNK_HEAD - STAMP)) c->is_right = 0;
        if (is_measuring) chunks_seen++, add_duration(&on_the_way, now_ns() - read_hex(c->chunk_head, STAMP));
      }
    } else if (memcmp(data, filler + at, take)) c->is_right = 0;
    c->body_at += take, data += take, n -= take;
  }
}

static void check_whole(connection *c) {
  if (answers == SMALL && c->body_at != c->expected_length) c->is_right = 0;
  if (answers == STREAM && c->body_at != (uint64_t)chunks * chunk_size) c->is_right = 0;
  if (answers == MINTED) {
    char minted[512];
    size_t length = (size_t)write_minted(minted) - 2; // without the braces
    if (!memmem(c->expected, c->body_at, minted + 1, length)) c->is_right = 0;
  }
}

static void begin(connection *c, uint64_t due_at) {
  static uint32_t last_id;
  if (line_count && next_line == line_count) {
    all_used = once;
    next_line = 0;
  }
  if (all_used) {
    c->state = FREE;
    return;
  }
  c->id = ++last_id;
  c->due_at = due_at;
  c->state = IN_HEAD;
  busy++;
  c->head_have = c->body_at = 0;
  c->is_right = 1;
  if (answers == SMALL) c->expected_length = (size_t)write_small(c->expected, c->id);
  append_request(&c->o, c->id);
  if (flush(&c->o, c)) fail_connection(c);
}

static void begin_next(connection *c) {
  if (rate == 0) begin(c, now_ns());
  else if (begun < due) begin(c, first_due_at + (uint64_t)((double)begun++ * 1e9 / rate)); // a late request counts from when it was due
  else {
    c->state = FREE;
    unused[unused_count++] = c;
  }
}

static void on_whole_answer(connection *c) {
  busy--;
  check_whole(c);
  if (!c->is_right && wrong++ < 3) fprintf(stderr, "wrong answer to request %08x: %.300s\n", c->id, c->head);
  if (is_measuring) done++, add_duration(&whole, now_ns() - c->due_at);
  begin_next(c);
}

// Returns -1 for a head that makes no sense.
static int on_head(connection *c) {
  if (strncmp(c->head + 9, "200", 3)) c->is_right = 0;
  c->state = IN_BODY;
  const char *length = strcasestr(c->head, "\ncontent-length:");
  if (strcasestr(c->head, "\ntransfer-encoding: chunked")) {
    c->framing = CHUNKED, c->part = SIZE, c->left = 0;
    return 0;
  }
  if (!length) return -1;
  c->framing = BY_LENGTH;
  c->left = strtoull(length + 16, 0, 10);
  if (c->left == 0) on_whole_answer(c);
  return 0;
}

static size_t on_body(connection *c, const char *data, size_t n) {
  if (c->framing == BY_LENGTH || c->part == DATA) {
    size_t take = n < c->left ? n : c->left;
    check_body(c, data, take);
    c->left -= take;
    if (c->left == 0 && c->framing == CHUNKED) c->part = DATA_CR;
    else if (c->left == 0) on_whole_answer(c);
    return take;
  }
  switch (c->part) {
    case SIZE:
      if (*data == '\r') c->part = EXTENSION;
      else c->left = c->left << 4 | read_hex(data, 1);
      break;
    case EXTENSION: c->part = c->left ? DATA : END_CR; break;
    case DATA_CR: c->part = DATA_LF; break;
    case DATA_LF: c->part = SIZE; break;
    case END_CR: c->part = END_LF; break;
    default: on_whole_answer(c);
  }
  return 1;
}

// Returns -1 if the connection is of no more use.
static int on_bytes(connection *c, const char *data, size_t n) {
  while (n) {
    size_t used;
    if (c->state == FREE) return -1; // bytes that nobody asked for
    if (c->state == IN_BODY) used = on_body(c, data, n);
    else {
      size_t had = c->head_have, take = sizeof c->head - 1 - had < n ? sizeof c->head - 1 - had : n;
      memcpy(c->head + had, data, take);
      c->head[had + take] = 0;
      char *end = strstr(c->head + (had > 3 ? had - 3 : 0), "\r\n\r\n");
      c->head_have += take;
      used = take;
      if (!end && take < n) return -1;
      if (end) {
        used = (size_t)(end + 4 - c->head) - had;
        end[2] = 0;
        if (on_head(c)) return -1;
      }
    }
    data += used, n -= used;
  }
  return 0;
}

static void fail_connection(connection *c) {
  close(c->o.fd);
  open_connection(&c->o, c, port);
  if (c->state == FREE) return; // closed while idle, as servers may
  busy--;
  if (broken++ > 1000) {
    fprintf(stderr, "too many broken connections\n");
    exit(3);
  }
  begin_next(c);
}

static void read_option(const char *option) {
  const char *value = value_of(option);
  if (IS("connections")) connections = atoi(value);
  else if (IS("rate")) rate = atof(value);
  else if (IS("seconds")) seconds = atof(value);
  else if (IS("warm")) warm = atof(value);
  else if (IS("answers")) answers = *value == 'm' ? MINTED : *value == 'a' ? ANY : value[1] == 'm' ? SMALL : STREAM;
  else if (IS("chunks")) chunks = (uint32_t)atoi(value);
  else if (IS("size")) chunk_size = (uint32_t)atoi(value);
  else if (IS("pids")) name_servers(value);
  else if (IS("lines")) read_lines(value);
  else if (IS("once")) once = atoi(value);
  else exit(1);
}

// Open loop: starts the requests that have become due; returns when the next one will be.
static uint64_t begin_due(uint64_t now) {
  for (;;) {
    uint64_t next = first_due_at + (uint64_t)((double)due * 1e9 / rate);
    if (next > now) return next;
    due++;
    if (unused_count) begin_next(unused[--unused_count]);
  }
}

int main(int count, char **arguments) {
  if (count < 3) return 1;
  signal(SIGPIPE, SIG_IGN);
  make_filler();
  port = atoi(arguments[1]);
  request = read_whole(arguments[2]);
  for (int i = 3; i < count; i++) read_option(arguments[i]);
  epoll_fd = epoll_create1(0);
  all = calloc((size_t)connections, sizeof *all);
  unused = calloc((size_t)connections, sizeof *unused);
  for (int i = 0; i < connections; i++) open_connection(&all[i].o, &all[i], port);

  first_due_at = now_ns();
  for (int i = 0; i < connections; i++) begin_next(&all[i]);
  uint64_t measure_at = first_due_at + (uint64_t)(warm * 1e9), end_at = UINT64_MAX, cpu_before = 0, own_before = 0;
  static char in[1 << 18];
  struct epoll_event events[512];
  for (;;) {
    uint64_t now = now_ns();
    if (!is_measuring && now >= measure_at) {
      is_measuring = 1;
      cpu_before = server_cpu_ns();
      own_before = own_cpu_ns();
      measure_at = now_ns();
      end_at = measure_at + (uint64_t)(seconds * 1e9);
    }
    if (now >= end_at || (all_used && busy == 0)) break;
    uint64_t wake_at = is_measuring ? end_at : measure_at;
    if (rate > 0) {
      uint64_t next = begin_due(now);
      if (next < wake_at) wake_at = next;
    }
    now = now_ns();
    uint64_t wait = wake_at > now ? wake_at - now : 0;
    struct timespec timeout = {(time_t)(wait / 1000000000), (long)(wait % 1000000000)};
    int ready = epoll_pwait2(epoll_fd, events, 512, &timeout, 0);
    for (int i = 0; i < ready; i++) {
      connection *c = events[i].data.ptr;
      if (events[i].events & EPOLLOUT && flush(&c->o, c)) fail_connection(c);
      if (!(events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))) continue;
      ssize_t n = read(c->o.fd, in, sizeof in);
      if (n < 0 && errno == EAGAIN) continue;
      if (n <= 0 || on_bytes(c, in, (size_t)n)) fail_connection(c);
    }
  }
  uint64_t cpu = server_cpu_ns() - cpu_before, own = own_cpu_ns() - own_before;
  printf("{\"seconds\":%.4f,\"requests\":%lu,\"chunks\":%lu,\"bytes\":%lu,\"errors\":%lu,\"cpuUs\":%.1f,\"loadCpuUs\":%.1f,\"rssKb\":%ld",
         (double)(now_ns() - measure_at) / 1e9, done, chunks_seen, bytes, wrong + broken, (double)cpu / 1e3, (double)own / 1e3, server_rss_kb());
  print_durations("latencyUs", &whole);
  print_durations("chunkUs", &on_the_way);
  printf("}\n");
  return 0;
}
