#include "launch/pipe.h"

#include <unistd.h>
#include <cerrno>

namespace attune {

bool LineReader::fill() {
  char bytes[4096];
  ssize_t n;
  do n = read(descriptor_, bytes, sizeof bytes);
  while (n < 0 && errno == EINTR);
  if (n <= 0) return false;
  buffer_.append(bytes, static_cast<std::size_t>(n));
  return true;
}

std::optional<std::string> LineReader::buffered() {
  const auto end = buffer_.find('\n');
  if (end == buffer_.npos) return std::nullopt;
  std::string line = buffer_.substr(0, end);
  buffer_.erase(0, end + 1);
  return line;
}

std::optional<std::string> LineReader::next() {
  for (;;) {
    if (auto line = buffered()) return line;
    if (!fill()) return std::nullopt;
  }
}

bool write_all(int descriptor, const std::string& text) {
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t n = write(descriptor, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    done += static_cast<std::size_t>(n);
  }
  return true;
}

}  // namespace attune
