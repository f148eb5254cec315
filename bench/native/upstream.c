// An upstream that costs next to nothing: just enough of a voice API, on one thread.
//   upstream PORT
// Path and query of a request decide what it gets:
//   /access-token                                  a token
//   /tts/bytes?id=&n=32&size=3200&gap=0            n chunks of audio; gap = microseconds between two of them
//   /tts/websocket?n=20&size=16384&gap=0           n messages of speech and a final one for every text message
//   /stt/websocket?size=3200&ack=1                 binary messages are checked; every ack-th gets a reply
//   anything else ?id=                             a small JSON
// `id` is eight hex digits and comes back in the response; see wire.h.
#define _GNU_SOURCE
#include <signal.h>
#include "connection.h"
#include "handshake.h"
#include "socket-frames.h"
#include "wire.h"

enum { HTTP, SPEECH, TRANSCRIPTION };
enum { IN_SIZE = 1 << 18 };

typedef struct {
  outgoing o;
  int kind;
  char *in;
  size_t in_have, in_room;
  frame_reader reader;
  uint32_t n, size, ack, unacknowledged, expected, bad; // of the socket
  uint64_t gap;
  int running; // a stream of chunks:
  uint32_t id, place;
  uint64_t next_at;
} client;

static client **streams; // clients that wait for their next chunk; a few hundred at most, so a list will do
static int stream_count, stream_room;

static uint64_t parameter(const char *target, const char *name, uint64_t otherwise, int base) {
  const char *at = strchr(target, '?');
  size_t length = strlen(name);
  while (at && *++at) {
    if (!strncmp(at, name, length) && at[length] == '=') return strtoull(at + length + 1, 0, base);
    at = strchr(at, '&');
  }
  return otherwise;
}

static void stop_stream(client *c) {
  for (int i = 0; i < stream_count; i++)
    if (streams[i] == c) {
      streams[i] = streams[--stream_count];
      break;
    }
  c->running = 0;
}

static void end(client *c) {
  if (c->running) stop_stream(c);
  close(c->o.fd);
  free(c->o.out);
  free(c->in);
  free(c);
}

static void append_message(client *c, int op, const char *text, size_t length) {
  unsigned char header[14];
  append(&c->o, header, (size_t)write_frame_header(header, op, length, 0));
  append(&c->o, text, length);
}

static void append_chunk(client *c) {
  if (c->kind == HTTP) {
    char *to = reserve(&c->o, c->size + 32);
    int at = sprintf(to, "%x\r\n", c->size);
    write_chunk_head(to + at, now_ns(), c->id, c->place);
    memcpy(to + at + CHUNK_HEAD, filler + CHUNK_HEAD, c->size - CHUNK_HEAD);
    memcpy(to + at + c->size, "\r\n", 2);
    c->o.have += (size_t)at + c->size + 2;
  } else {
    char *to = reserve(&c->o, c->size + 32);
    int at = write_frame_header((unsigned char *)to, OP_TEXT, c->size, 0);
    int head = write_frame_head(to + at, c->id, c->place, now_ns());
    memcpy(to + at + head, filler, c->size - (size_t)head - strlen(FRAME_TAIL));
    memcpy(to + at + c->size - strlen(FRAME_TAIL), FRAME_TAIL, strlen(FRAME_TAIL));
    c->o.have += (size_t)at + c->size;
  }
  c->place++;
}

static void append_end(client *c) {
  char text[128];
  if (c->kind == HTTP) append(&c->o, "0\r\n\r\n", 5);
  else append_message(c, OP_TEXT, text, (size_t)sprintf(text, "{\"type\":\"done\",\"context_id\":\"ctx-%08x\",\"status_code\":200,\"done\":true}", c->id));
}

// Sends what is due. Returns -1 if the client is gone.
static int pump(client *c) {
  while (c->place < c->n) {
    if (c->gap && now_ns() < c->next_at) return flush(&c->o, c);
    append_chunk(c);
    if (flush(&c->o, c)) return -1; // one write per chunk, as for a voice that is being generated
    c->next_at += c->gap;
  }
  append_end(c);
  stop_stream(c);
  return flush(&c->o, c);
}

static int start_stream(client *c) {
  if (stream_count == stream_room) {
    stream_room = stream_room * 2 + 256;
    streams = realloc(streams, (size_t)stream_room * sizeof *streams);
  }
  streams[stream_count++] = c;
  c->running = 1;
  c->place = 0;
  c->next_at = now_ns();
  return pump(c);
}

static void open_socket(client *c, const char *target, const char *head) {
  char accept[29] = "", text[256];
  const char *key = strcasestr(head, "\r\nsec-websocket-key:");
  if (key) accept_of(key + 20 + strspn(key + 20, " "), accept);
  append(&c->o, text, (size_t)sprintf(text, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", accept));
  c->kind = strstr(target, "/stt/") ? TRANSCRIPTION : SPEECH;
  c->n = (uint32_t)parameter(target, "n", 20, 10);
  c->size = (uint32_t)parameter(target, "size", c->kind == SPEECH ? 16384 : 3200, 10);
  c->gap = parameter(target, "gap", 0, 10) * 1000;
  c->ack = (uint32_t)parameter(target, "ack", 1, 10);
}

static void answer_json(client *c, const char *body, int length) {
  char head[256];
  append(&c->o, head, (size_t)sprintf(head, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
                                            "Server: upstream\r\nX-Request-Id: 0123456789abcdef\r\n\r\n", length));
  append(&c->o, body, (size_t)length);
}

static int answer(client *c, const char *target) {
  char body[1024];
  c->id = (uint32_t)parameter(target, "id", 0, 16);
  if (strstr(target, "/tts/bytes")) {
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: audio/wav\r\nTransfer-Encoding: chunked\r\nServer: upstream\r\n"
                               "X-Request-Id: 0123456789abcdef\r\n\r\n";
    append(&c->o, head, sizeof head - 1);
    c->n = (uint32_t)parameter(target, "n", 32, 10);
    c->size = (uint32_t)parameter(target, "size", 3200, 10);
    c->gap = parameter(target, "gap", 0, 10) * 1000;
    return start_stream(c);
  }
  answer_json(c, body, strstr(target, "/access-token") ? write_minted(body) : write_small(body, c->id));
  return flush(&c->o, c);
}

// Length of the complete body after the head, or -1 while some of it is missing.
static long body_length(const char *head, const char *body, size_t have) {
  if (strcasestr(head, "\r\ntransfer-encoding: chunked")) {
    const char *last = have >= 5 && !memcmp(body, "0\r\n\r\n", 5) ? body - 2 : memmem(body, have, "\r\n0\r\n\r\n", 7);
    return last ? last + 7 - body : -1;
  }
  const char *length = strcasestr(head, "\r\ncontent-length:");
  long wanted = length ? strtol(length + 17, 0, 10) : 0;
  return (size_t)wanted <= have ? wanted : -1;
}

static void forget(client *c, size_t n) {
  memmove(c->in, c->in + n, c->in_have - n);
  c->in_have -= n;
}

// Returns -1 if the client must be dropped.
static int on_http(client *c) {
  while (c->in_have && !c->running && c->kind == HTTP) {
    c->in[c->in_have] = 0;
    char *end_of_head = strstr(c->in, "\r\n\r\n");
    if (!end_of_head) return 0;
    size_t head_length = (size_t)(end_of_head + 4 - c->in);
    char saved = c->in[head_length];
    c->in[head_length] = 0; // what follows is body
    char target[4096] = "";
    int is_upgrade = strcasestr(c->in, "\r\nupgrade: websocket") != 0;
    if (sscanf(c->in, "%*s %4095s", target) != 1) return -1;
    if (is_upgrade) {
      open_socket(c, target, c->in);
      c->in[head_length] = saved;
      forget(c, head_length);
      return flush(&c->o, c);
    }
    char *head = strdup(c->in);
    c->in[head_length] = saved;
    long body = body_length(head, c->in + head_length, c->in_have - head_length);
    free(head);
    if (body < 0) return 0;
    forget(c, head_length + (size_t)body);
    if (answer(c, target)) return -1;
  }
  return 0;
}

// Checks a recording's next piece, unmasked: its place must be the next one, its filler must be intact.
static void check_audio(client *c, const char *data, size_t length) {
  int is_right = length == c->size && read_hex(data + 24, 8) == c->expected && !memcmp(data + CHUNK_HEAD, filler + CHUNK_HEAD, length - CHUNK_HEAD);
  if (!is_right) c->bad++;
  c->expected++;
}

static int on_message(client *c, char *data, size_t length) {
  if (c->reader.masked) mask(data, length, c->reader.key);
  if (c->reader.op == OP_CLOSE) return -1;
  if (c->reader.op == OP_PING) append_message(c, OP_PONG, data, length);
  if (c->reader.op == OP_BINARY) {
    char text[160];
    check_audio(c, data, length);
    if (++c->unacknowledged < c->ack) return 0;
    c->unacknowledged = 0;
    append_message(c, OP_TEXT, text, (size_t)sprintf(text, "{\"type\":\"transcript\",\"is_final\":false,\"text\":\"word\",\"bad\":%u,\"sent\":\"%.16s\"}", c->bad, data));
  }
  if (c->reader.op == OP_TEXT && c->kind == SPEECH) {
    const char *id = memmem(data, length, "\"ctx-", 5);
    if (!id || c->running) return -1;
    c->id = (uint32_t)read_hex(id + 5, 8);
    return start_stream(c);
  }
  return flush(&c->o, c);
}

static int on_frames(client *c) {
  size_t at = 0;
  int result = 0;
  while (result == 0 && at < c->in_have) {
    if (!c->reader.in_payload) {
      at += read_frame_header(&c->reader, c->in + at, c->in_have - at);
      if (!c->reader.in_payload) break;
    }
    if (c->in_have - at < c->reader.length) break;
    char *data = c->in + at;
    at += c->reader.length;
    c->reader.in_payload = 0;
    result = on_message(c, data, c->reader.length);
  }
  forget(c, at);
  return result;
}

static int on_bytes(client *c, const char *data, size_t n) {
  if (c->in_have + n + 1 > c->in_room) {
    c->in_room = (c->in_have + n + 1) * 2;
    c->in = realloc(c->in, c->in_room);
  }
  memcpy(c->in + c->in_have, data, n);
  c->in_have += n;
  if (c->kind == HTTP && on_http(c)) return -1;
  return c->kind == HTTP ? 0 : on_frames(c);
}

static void accept_clients(int listener) {
  for (int fd; (fd = accept(listener, 0, 0)) >= 0;) {
    make_responsive(fd);
    client *c = calloc(1, sizeof *c);
    c->o.fd = fd;
    watch(&c->o, c, EPOLL_CTL_ADD);
  }
}

// Time until the next chunk is due; negative if no stream is running.
static int64_t wait_ns(void) {
  uint64_t first = UINT64_MAX, now = now_ns();
  for (int i = 0; i < stream_count; i++)
    if (streams[i]->next_at < first) first = streams[i]->next_at;
  return first == UINT64_MAX ? -1 : first > now ? (int64_t)(first - now) : 0;
}

static void pump_due(void) {
  uint64_t now = now_ns();
  for (int i = 0; i < stream_count;) {
    client *c = streams[i];
    if (c->next_at <= now && pump(c)) end(c);
    if (i < stream_count && streams[i] == c) i++; // otherwise another client has taken its place
  }
}

int main(int count, char **arguments) {
  if (count != 2) return 1;
  signal(SIGPIPE, SIG_IGN);
  make_filler();
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
  struct sockaddr_in a = loopback(atoi(arguments[1]));
  socklen_t a_size = sizeof a;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, (struct sockaddr *)&a, sizeof a) || listen(listener, 8192)) {
    perror("listen");
    return 1;
  }
  getsockname(listener, (struct sockaddr *)&a, &a_size);
  printf("%d\n", ntohs(a.sin_port));
  fflush(stdout);
  epoll_fd = epoll_create1(0);
  struct epoll_event e = {.events = EPOLLIN}, events[512];
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &e);
  static char in[IN_SIZE];
  for (;;) {
    int64_t ns = wait_ns();
    struct timespec timeout = {ns / 1000000000, ns % 1000000000};
    int ready = epoll_pwait2(epoll_fd, events, 512, ns < 0 ? 0 : &timeout, 0);
    for (int i = 0; i < ready; i++) {
      client *c = events[i].data.ptr;
      if (!c) {
        accept_clients(listener);
        continue;
      }
      int gone = events[i].events & EPOLLOUT ? flush(&c->o, c) : 0;
      if (!gone && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        ssize_t n = read(c->o.fd, in, sizeof in);
        gone = n > 0 ? on_bytes(c, in, (size_t)n) : n == 0 || errno != EAGAIN ? -1 : 0;
      }
      if (gone) end(c);
    }
    pump_due();
  }
}
