// A non-blocking connection with a buffer of bytes still to be sent.
#pragma once
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct {
  int fd, wants_out;
  char *out;
  size_t sent, have, room;
} outgoing;

static int epoll_fd;

static inline void watch(outgoing *o, void *owner, int operation) {
  struct epoll_event e = {.events = EPOLLIN | (o->wants_out ? EPOLLOUT : 0), .data.ptr = owner};
  epoll_ctl(epoll_fd, operation, o->fd, &e);
}

// Returns room for `n` more bytes at the end; the caller fills it and adds to `have`.
static inline char *reserve(outgoing *o, size_t n) {
  if (o->sent == o->have) o->sent = o->have = 0;
  if (o->have + n > o->room) {
    o->room = (o->have + n) * 2;
    o->out = realloc(o->out, o->room);
  }
  return o->out + o->have;
}

static inline void append(outgoing *o, const void *data, size_t n) {
  memcpy(reserve(o, n), data, n);
  o->have += n;
}

// Writes what the kernel accepts. Returns -1 if the connection is gone.
static inline int flush(outgoing *o, void *owner) {
  while (o->sent < o->have) {
    ssize_t n = write(o->fd, o->out + o->sent, o->have - o->sent);
    if (n < 0 && errno == EAGAIN) {
      if (!o->wants_out) o->wants_out = 1, watch(o, owner, EPOLL_CTL_MOD);
      return 0;
    }
    if (n < 0) return -1;
    o->sent += (size_t)n;
  }
  o->sent = o->have = 0;
  if (o->wants_out) o->wants_out = 0, watch(o, owner, EPOLL_CTL_MOD);
  return 0;
}

static inline struct sockaddr_in loopback(int port) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  return a;
}

static inline void make_responsive(int fd) {
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  fcntl(fd, F_SETFL, O_NONBLOCK | fcntl(fd, F_GETFL));
}

// Connects over loopback and watches for reading; ends the program if nothing listens.
static inline void open_connection(outgoing *o, void *owner, int port) {
  struct sockaddr_in a = loopback(port);
  o->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (o->fd < 0 || connect(o->fd, (struct sockaddr *)&a, sizeof a)) {
    perror("connect");
    exit(2);
  }
  make_responsive(o->fd);
  o->sent = o->have = 0;
  o->wants_out = 0;
  watch(o, owner, EPOLL_CTL_ADD);
}
