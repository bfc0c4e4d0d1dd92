#include "cli/program.h"

int main(int argc, char** argv) {
  return conclave::run_program(argc, argv);
}
