#pragma once

#include <cstddef>
#include <functional>
#include <string>

namespace attune {

// Bytes from a child process that runs `work`. Decoders abort, crash, loop, ask for all memory and
// write to the terminal as they please when a file is damaged: all of that stays in the child, and
// reaches the parent as a DataError about `path`, as does a DataError that work throws. The child's
// CPU time and memory are limited, and so is the time that it may stay silent.
class ChildStream {
 public:
  using Sink = std::function<void(const void* data, std::size_t size)>;
  ChildStream(std::string path, const std::function<void(const Sink&)>& work);
  ~ChildStream();  // ends the child
  ChildStream(const ChildStream&) = delete;
  ChildStream& operator=(const ChildStream&) = delete;

  // The next `size` bytes, which work must have sent in one call of its sink.
  void read(void* out, std::size_t size);
  // That nothing is left and that work has returned.
  void finish();

 private:
  std::size_t receive(void* out, std::size_t size);
  [[noreturn]] void fail(const std::string& reason);
  int reap();
  std::string path_;
  int fd_ = -1;
  int child_ = -1;
};

}  // namespace attune
