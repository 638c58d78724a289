// A typical command: it reads arguments and input, works on files, and returns a status.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void check(int ok, const char *step) {
  if (ok) return;
  fprintf(stderr, "%s: %s\n", step, strerror(errno));
  exit(2);
}

int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) printf("%s%s", argv[i], i + 1 < argc ? " " : "\n");
  printf("%s\n", getenv("GREETING"));

  char line[64];
  while (fgets(line, sizeof line, stdin)) printf("> %s", line);

  check(mkdir("/data/new", 0777) == 0, "mkdir");
  FILE *file = fopen("/data/new/a", "w");
  check(file != NULL, "fopen");
  for (int i = 0; i < 1000; i++) fprintf(file, "%d\n", i);
  check(fclose(file) == 0, "fclose");
  check(rename("/data/new/a", "/data/new/b") == 0, "rename");
  struct stat status;
  check(stat("/data/new/b", &status) == 0, "stat");
  printf("%lld bytes\n", (long long)status.st_size);
  check(truncate("/data/new/b", 10) == 0, "truncate");

  file = fopen("/data/new/b", "r+");
  check(file != NULL && fseek(file, 4, SEEK_SET) == 0, "fseek");
  check(fread(line, 1, 6, file) == 6 && ftell(file) == 10, "fread");
  printf("%.*s", 6, line);
  fclose(file);

  DIR *folder = opendir("/data/new");
  check(folder != NULL, "opendir");
  for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
    if (entry->d_name[0] != '.') printf("%s\n", entry->d_name);
  closedir(folder);
  check(unlink("/data/new/b") == 0 && rmdir("/data/new") == 0, "cleaning up");

  check(open("/data/../secret", O_RDONLY) < 0, "a path out of the folder");
  printf("outside: %s\n", strerror(errno));
  check(open("/etc/passwd", O_RDONLY) < 0, "an absolute path out of the folder");

  struct timespec wait = {0, 2000000}, before, after;
  clock_gettime(CLOCK_MONOTONIC, &before);
  check(nanosleep(&wait, NULL) == 0, "nanosleep");
  clock_gettime(CLOCK_MONOTONIC, &after);
  long long waited = (after.tv_sec - before.tv_sec) * 1000000000ll + after.tv_nsec - before.tv_nsec;
  printf("%s\n", waited >= 2000000 ? "waited" : "did not wait");
  unsigned char random[64], zero[64] = {0};
  check(getentropy(random, 64) == 0, "getentropy");
  printf("%s\n", memcmp(random, zero, 64) ? "random" : "not random");
  fprintf(stderr, "done\n");
  return 42;
}
