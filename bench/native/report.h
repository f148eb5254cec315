// Collects the figures of one run, to be printed as one line of JSON.
#pragma once
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

// Durations in tenths of a microsecond, four bytes each: up to seven minutes.
typedef struct {
  uint32_t *values;
  size_t count, room;
} durations;

static inline void add_duration(durations *d, uint64_t ns) {
  if (d->count == d->room) {
    d->room = d->room ? d->room * 2 : 65536;
    d->values = realloc(d->values, d->room * sizeof *d->values);
  }
  d->values[d->count++] = ns / 100 > UINT32_MAX ? UINT32_MAX : (uint32_t)(ns / 100);
}

static inline int by_size(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

static inline void print_durations(const char *name, durations *d) {
  if (d->count == 0) {
    printf(",\"%s\":null", name);
    return;
  }
  qsort(d->values, d->count, sizeof *d->values, by_size);
  printf(",\"%s\":{\"p50\":%.1f,\"p99\":%.1f}", name, d->values[d->count / 2] / 10.0, d->values[(size_t)((double)(d->count - 1) * 0.99)] / 10.0);
}

// CPU time of the load generator itself: if it is near the length of the run, this program was the limit and not the server.
static inline uint64_t own_cpu_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}
