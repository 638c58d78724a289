// Counts lines, words and bytes of the files of a folder that its arguments name, or of standard input: a command over
// wasi-libc. The environment variable FOLDER names the folder, which gets a report.
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int fail(const char *what, const char *why) {
  fprintf(stderr, "count: %s: %s\n", what, why);
  return 1;
}

static const char *reason(void) { return errno == ENOENT ? "no such file" : strerror(errno); }

static int is_space(int byte) { return byte == ' ' || (byte >= '\t' && byte <= '\r'); }

// Writes a line to standard output and to the report, where there is one.
static void count(const char *name, FILE *file, FILE *report) {
  unsigned long lines = 0, words = 0, bytes = 0;
  int byte, last = ' ';
  while ((byte = getc(file)) != EOF) {
    bytes++;
    lines += byte == '\n';
    words += is_space(last) && !is_space(byte);
    last = byte;
  }
  const char *format = "%s: %lu lines, %lu words, %lu bytes\n";
  printf(format, name, lines, words, bytes);
  if (report != NULL) fprintf(report, format, name, lines, words, bytes);
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

// Prints the names of a folder's entries. `scandir` of wasi-libc would fail: it asks for the inode of "..", which is
// outside of what the command may see.
static int list(const char *folder) {
  char *names[100];
  size_t count = 0;
  DIR *entries = opendir(folder);
  if (entries == NULL) return fail(folder, reason());
  for (struct dirent *entry; count < 100 && (entry = readdir(entries)) != NULL;) {
    if (entry->d_name[0] != '.') names[count++] = strdup(entry->d_name);
  }
  closedir(entries);
  qsort(names, count, sizeof *names, by_name);
  printf("folder:");
  for (size_t at = 0; at < count; at++) printf(" %s", names[at]);
  printf("\n");
  return 0;
}

int main(int argc, char **argv) {
  char path[256];
  if (argc == 1) {
    count("-", stdin, NULL);
    return 0;
  }
  const char *folder = getenv("FOLDER");
  if (folder == NULL) return fail("FOLDER", "not set");
  snprintf(path, sizeof path, "%s/reports", folder);
  if (mkdir(path, 0777) != 0 && errno != EEXIST) return fail(path, reason());
  snprintf(path, sizeof path, "%s/reports/count.txt", folder);
  FILE *report = fopen(path, "a");
  if (report == NULL) return fail(path, reason());

  int status = 0;
  for (int i = 1; i < argc; i++) {
    snprintf(path, sizeof path, "%s/%s", folder, argv[i]);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
      status = fail(argv[i], reason());
      continue;
    }
    count(argv[i], file, report);
    fclose(file);
  }
  if (fclose(report) != 0) return fail("report", reason());

  struct stat written;
  snprintf(path, sizeof path, "%s/reports/count.txt", folder);
  if (stat(path, &written) != 0) return fail(path, reason());
  printf("report: %lld bytes\n", (long long)written.st_size);
  return list(folder) || status;
}
