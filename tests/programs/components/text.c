// The world `text` in C, over wasi-libc. The names of exports and imports, and the layout of values in memory, are
// those of the canonical ABI.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATS "test:text/stats@0.1.0"
#define EXPORT(name) __attribute__((export_name(name)))
#define IMPORT(module, name) __attribute__((import_module(module), import_name(name)))

struct string {
  char *bytes;
  size_t length;
};
struct word {
  struct string text;
  uint32_t count;
};
enum { OK, ERR };
enum { EMPTY, TOO_LONG };
struct words_result {
  uint8_t tag;
  union {
    struct {
      struct word *words;
      size_t count;
    } ok;
    struct {
      uint8_t tag;
      uint32_t length;
    } err;
  };
};
struct counter {
  uint32_t value;
};

IMPORT("test:text/log@0.1.0", "write") void log_write(const char *bytes, size_t length);
IMPORT("[export]" STATS, "[resource-new]counter") uint32_t counter_handle(struct counter *counter);

static void *not_null(void *at) {
  if (at == NULL) abort();
  return at;
}

// The host allocates here what it gives to the program.
EXPORT("cabi_realloc") void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size) {
  (void)old_size;
  return size == 0 ? (void *)align : not_null(realloc(old, size));
}

// Blocks of size 0 have the alignment for their address, and are no blocks of malloc.
static void free_block(void *at, size_t size) {
  if (size != 0) free(at);
}

static struct string owned(const char *bytes, size_t length) {
  if (length == 0) return (struct string){(char *)1, 0};
  return (struct string){memcpy(not_null(malloc(length)), bytes, length), length};
}

static int is_space(char byte) { return byte == ' ' || (byte >= '\t' && byte <= '\r'); }

static uint32_t characters(const char *bytes, size_t length) {
  uint32_t count = 0;
  for (size_t at = 0; at < length; at++) count += (bytes[at] & 0xc0) != 0x80;
  return count;
}

static void count_word(struct words_result *result, const char *bytes, size_t length) {
  for (size_t at = 0; at < result->ok.count; at++) {
    struct word *word = &result->ok.words[at];
    if (word->text.length == length && memcmp(word->text.bytes, bytes, length) == 0) {
      word->count++;
      return;
    }
  }
  size_t size = (result->ok.count + 1) * sizeof(struct word);
  result->ok.words = not_null(realloc(result->ok.words, size));
  result->ok.words[result->ok.count++] = (struct word){owned(bytes, length), 1};
}

EXPORT(STATS "#words")
struct words_result *words(char *text, size_t length, uint32_t has_max, uint32_t max) {
  static struct words_result result;
  memset(&result, 0, sizeof result);
  uint32_t all = characters(text, length);
  if (length == 0 || (has_max && all > max)) {
    result.tag = ERR;
    result.err.tag = length == 0 ? EMPTY : TOO_LONG;
    result.err.length = all;
  } else {
    for (size_t at = 0; at < length;) {
      size_t start = at;
      while (at < length && !is_space(text[at])) at++;
      if (at > start) count_word(&result, text + start, at - start);
      while (at < length && is_space(text[at])) at++;
    }
    char line[32];
    log_write(line, snprintf(line, sizeof line, "%zu words", result.ok.count));
  }
  free_block(text, length);
  return &result;
}

EXPORT("cabi_post_" STATS "#words") void words_taken(struct words_result *result) {
  if (result->tag == ERR) return;
  for (size_t at = 0; at < result->ok.count; at++) {
    free_block(result->ok.words[at].text.bytes, result->ok.words[at].text.length);
  }
  free(result->ok.words);
}

EXPORT(STATS "#sum") double sum(double *numbers, size_t count) {
  double sum = 0;
  for (size_t at = 0; at < count; at++) sum += numbers[at];
  free_block(numbers, count);
  return sum;
}

EXPORT(STATS "#[constructor]counter") uint32_t counter_new(uint32_t start) {
  struct counter *counter = not_null(malloc(sizeof *counter));
  counter->value = start;
  return counter_handle(counter);
}

EXPORT(STATS "#[method]counter.next") uint32_t counter_next(struct counter *counter) { return counter->value++; }

EXPORT(STATS "#[static]counter.describe") struct string *counter_describe(struct counter *counter) {
  static struct string described;
  char text[32];
  described = owned(text, snprintf(text, sizeof text, "counter at %u", counter->value));
  return &described;
}

EXPORT("cabi_post_" STATS "#[static]counter.describe") void described_taken(struct string *described) {
  free_block(described->bytes, described->length);
}

EXPORT(STATS "#[dtor]counter") void counter_drop(struct counter *counter) { free(counter); }
