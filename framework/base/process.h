#pragma once

namespace attune {

// First thing in main(). Standard streams that are closed become /dev/null: else the next file
// opened were one of them, and took in what is printed. Writing beyond `ulimit -f` fails as a full
// disk does, rather than ending the process.
void prepare_process();

}  // namespace attune
