// What load generator and upstream share: a clock, and responses that both can compute. So the load generator checks every byte that it
// gets, and each chunk tells how long it was on its way.
#pragma once
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static inline uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static inline void write_hex(char *to, int digits, uint64_t value) {
  for (int i = digits - 1; i >= 0; i--, value >>= 4) to[i] = "0123456789abcdef"[value & 15];
}

static inline uint64_t read_hex(const char *from, int digits) {
  uint64_t value = 0;
  for (int i = 0; i < digits; i++) {
    char c = from[i];
    value = value << 4 | (uint64_t)((c <= '9' ? c - '0' : (c | 32) - 'a' + 10) & 15);
  }
  return value;
}

// Characters in an order that does not repeat within a chunk, so that a lost or doubled byte shows in everything after it.
#define FILLER_SIZE (1 << 17)
static char filler[FILLER_SIZE];
static inline void make_filler(void) {
  uint32_t x = 2463534242u;
  for (int i = 0; i < FILLER_SIZE; i++) {
    x ^= x << 13, x ^= x >> 17, x ^= x << 5;
    filler[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[x & 63];
  }
}

// One chunk of audio: the time it was sent (16 hex digits), its request (8), its place (8), filler.
enum { STAMP = 16, CHUNK_HEAD = 32 };
static inline void write_chunk_head(char *to, uint64_t sent_at, uint32_t id, uint32_t place) {
  write_hex(to, STAMP, sent_at);
  write_hex(to + 16, 8, id);
  write_hex(to + 24, 8, place);
}

// The response to a small request. It names the request, so that a response to another one is noticed.
static inline int write_small(char *to, uint32_t id) {
  return sprintf(to, "{\"id\":\"%08x\",\"name\":\"Barbershop Man\",\"description\":\"%.60s\",\"language\":\"en\",\"is_public\":true,"
                     "\"created_at\":\"2026-01-01T00:00:00Z\"}", id, filler);
}

// A minted token, as long as a real one. Always the same, since upstream does not know for whom it is minted.
static inline int write_minted(char *to) {
  return sprintf(to, "{\"token\":\"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.%.240s\"}", filler);
}

// One message of speech over a WebSocket: filler between head and tail, `size` bytes in all.
static inline int write_frame_head(char *to, uint32_t id, uint32_t place, uint64_t sent_at) {
  return sprintf(to, "{\"type\":\"chunk\",\"context_id\":\"ctx-%08x\",\"status_code\":206,\"done\":false,\"step_time\":1.5,\"place\":\"%08x\","
                     "\"sent\":\"%016lx\",\"data\":\"", id, place, (unsigned long)sent_at);
}
#define FRAME_TAIL "\"}"
#define SENT_MARK "\"sent\":\""
