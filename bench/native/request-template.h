// The request to send, from a file that holds it as sent over the wire. `{id}` in it becomes eight hex digits, `{line}` a line of another
// file, each line in turn.
#pragma once
#include "connection.h"
#include "wire.h"

static char *request, **lines;
static int line_count, next_line;

static inline char *read_whole(const char *path) {
  FILE *file = fopen(path, "r");
  char *text = 0;
  size_t room = 0;
  if (!file || getdelim(&text, &room, 0, file) < 0) {
    perror(path);
    exit(1);
  }
  fclose(file);
  return text;
}

static inline void read_lines(const char *path) {
  char *save, *text = read_whole(path);
  for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(0, "\n", &save)) {
    lines = realloc(lines, (size_t)(line_count + 1) * sizeof *lines);
    lines[line_count++] = line;
  }
}

static inline void append_request(outgoing *o, uint32_t request_id) {
  char id[8];
  write_hex(id, 8, request_id);
  for (const char *at = request, *mark; *at; at = mark) {
    if (!strncmp(at, "{id}", 4)) append(o, id, 8), at += 4;
    else if (!strncmp(at, "{line}", 6)) append(o, lines[next_line], strlen(lines[next_line])), next_line++, at += 6;
    mark = strchrnul(at + (*at == '{'), '{');
    append(o, at, (size_t)(mark - at));
  }
}
