#include "base/process.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

namespace attune {

void prepare_process() {
  // open() takes the lowest number that is free.
  int file = ::open("/dev/null", O_RDWR);
  while (file >= 0 && file <= STDERR_FILENO) file = ::open("/dev/null", O_RDWR);
  if (file > STDERR_FILENO) ::close(file);
  ::signal(SIGXFSZ, SIG_IGN);
}

}  // namespace attune
