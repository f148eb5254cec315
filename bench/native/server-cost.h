// What the server under test has used so far: CPU time of all its threads, and resident memory. Linux only.
#pragma once
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int servers[64], server_count;

// "12,13" -> process ids
static inline void name_servers(const char *list) {
  while (*list && server_count < 64) {
    char *end;
    servers[server_count++] = (int)strtol(list, &end, 10);
    list = *end ? end + 1 : end;
  }
}

// Nanoseconds, user and system. The first number of schedstat is exact; utime would count in ticks of 10 ms.
static inline uint64_t server_cpu_ns(void) {
  uint64_t total = 0;
  for (int i = 0; i < server_count; i++) {
    char path[320];
    sprintf(path, "/proc/%d/task", servers[i]);
    DIR *tasks = opendir(path);
    if (!tasks) continue;
    for (struct dirent *task; (task = readdir(tasks));) {
      if (task->d_name[0] == '.') continue;
      sprintf(path, "/proc/%d/task/%.20s/schedstat", servers[i], task->d_name);
      FILE *file = fopen(path, "r");
      unsigned long ns;
      if (!file) continue;
      if (fscanf(file, "%lu", &ns) == 1) total += ns;
      fclose(file);
    }
    closedir(tasks);
  }
  return total;
}

// Resident memory in KiB, at 4 KiB per page.
static inline long server_rss_kb(void) {
  long total = 0;
  for (int i = 0; i < server_count; i++) {
    char path[64];
    sprintf(path, "/proc/%d/statm", servers[i]);
    FILE *file = fopen(path, "r");
    long size, resident;
    if (!file) continue;
    if (fscanf(file, "%ld %ld", &size, &resident) == 2) total += resident * 4;
    fclose(file);
  }
  return total;
}
