// Reads "name=value", the form of every option here.
#pragma once
#include <string.h>

#define IS(name) (!strncmp(option, name "=", sizeof name))
static inline const char *value_of(const char *option) {
  const char *equals = strchr(option, '=');
  return equals ? equals + 1 : "";
}
