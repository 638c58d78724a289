// The guest of `debugging.rs`. `make.sh` makes its binaries, which are in this folder.

#include "include/divide.h"

__attribute__((export_name("f"))) int f(int x) {
    int half = divide(100, x);
    return half + 1;
}
