#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

namespace attune {

// Both ends that a worker has.
struct WorkerPipes {
  pid_t parent = 0;
  int orders = -1, answers = -1;
};

// A descriptor that is read line by line.
class LineReader {
 public:
  explicit LineReader(int descriptor) : descriptor_(descriptor) {}
  // The next line without its newline; waits for it. None at the end.
  std::optional<std::string> next();
  // What is there already, after one read: call when poll() says that there is something. False at
  // the end.
  bool fill();
  std::optional<std::string> buffered();

 private:
  int descriptor_;
  std::string buffer_;
};

// False where nobody reads any more.
bool write_all(int descriptor, const std::string& text);

}  // namespace attune
