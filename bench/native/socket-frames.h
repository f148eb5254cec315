// WebSocket frames (RFC 6455 §5.2) for both sides: written whole, read in whatever pieces they arrive.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { OP_TEXT = 1, OP_BINARY = 2, OP_CLOSE = 8, OP_PING = 9, OP_PONG = 10 };
static const unsigned char FRAME_MASK[4] = {0x37, 0xa1, 0x5c, 0xe9};

// Writes the header of a final frame, at most 14 bytes. Clients mask their frames.
static inline int write_frame_header(unsigned char *to, int op, size_t length, int masked) {
  int at = 0;
  unsigned char bit = masked ? 0x80 : 0;
  to[at++] = (unsigned char)(0x80 | op);
  if (length < 126) {
    to[at++] = (unsigned char)(bit | length);
  } else if (length < 65536) {
    to[at++] = bit | 126;
    to[at++] = (unsigned char)(length >> 8);
    to[at++] = (unsigned char)length;
  } else {
    to[at++] = bit | 127;
    for (int i = 7; i >= 0; i--) to[at++] = (unsigned char)((uint64_t)length >> (8 * i));
  }
  if (masked) memcpy(to + at, FRAME_MASK, 4), at += 4;
  return at;
}

static inline void mask(char *data, size_t length, const unsigned char key[4]) {
  for (size_t i = 0; i < length; i++) data[i] ^= (char)key[i & 3];
}

// A reader's position in the stream of frames.
typedef struct {
  unsigned char header[14];
  int header_have, op, in_payload, masked;
  unsigned char key[4];
  uint64_t length, left;
} frame_reader;

// Takes header bytes and returns how many it took; sets `in_payload` once the header is complete.
static inline size_t read_frame_header(frame_reader *r, const char *from, size_t n) {
  size_t used = 0;
  while (used < n) {
    r->header[r->header_have++] = (unsigned char)from[used++];
    if (r->header_have < 2) continue;
    const unsigned char *h = r->header;
    int length7 = h[1] & 127, extra = length7 == 126 ? 2 : length7 == 127 ? 8 : 0;
    r->masked = h[1] >> 7;
    if (r->header_have < 2 + extra + 4 * r->masked) continue;
    r->length = extra ? 0 : (uint64_t)length7;
    for (int i = 0; i < extra; i++) r->length = r->length << 8 | h[2 + i];
    if (r->masked) memcpy(r->key, h + 2 + extra, 4);
    r->op = h[0] & 15;
    r->left = r->length;
    r->header_have = 0;
    r->in_payload = 1;
    return used;
  }
  return used;
}
