#pragma once

#include <initializer_list>

#include "base/stop.h"

namespace attune {

// Of `signals`, SIGINT, SIGTERM and SIGUSR1 ask `stop` for a clean end with exit code 130, 143 or
// 85; a second SIGINT ends the process at once. `stop` must outlive the process's last signal.
void route_signals(StopRequest& stop, std::initializer_list<int> signals);

}  // namespace attune
