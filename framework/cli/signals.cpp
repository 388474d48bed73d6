#include "cli/signals.h"

#include <signal.h>
#include <unistd.h>

#include <string_view>

namespace attune {
namespace {

// A handler has no argument of ours: what it may touch hangs on these.
StopRequest* stop_request = nullptr;
volatile sig_atomic_t interrupts = 0;

void handle(int signal) {
  if (signal == SIGINT) {
    interrupts = interrupts + 1;
    if (interrupts > 1) _exit(static_cast<int>(ExitCode::interrupted));
    static constexpr std::string_view kText =
        "\nstopping after this step, with a checkpoint; Ctrl-C again stops at once\n";
    [[maybe_unused]] const auto written = write(STDERR_FILENO, kText.data(), kText.size());
  }
  stop_request->request(signal == SIGINT    ? ExitCode::interrupted
                        : signal == SIGTERM ? ExitCode::terminated
                                            : ExitCode::run_again);
}

}  // namespace

void route_signals(StopRequest& stop, std::initializer_list<int> signals) {
  stop_request = &stop;
  struct sigaction action = {};
  action.sa_handler = handle;
  action.sa_flags = SA_RESTART;  // a write that is under way is finished
  for (const int signal : signals) sigaction(signal, &action, nullptr);
}

}  // namespace attune
