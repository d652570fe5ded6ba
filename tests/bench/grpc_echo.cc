// The reference for RPC: gRPC C++, asynchronous on both sides, echoing the same 200 bytes over TCP.
// Server and client are two processes, as in rpc_echo.c.
//
//     bench-grpc [SECONDS]      prints round trips per second with 1, 64 and 256 in flight

#include "echo.grpc.pb.h"

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <csignal>
#include <thread>
#include <unistd.h>

namespace {

using Clock = std::chrono::steady_clock;
constexpr size_t PAYLOAD = 200;
constexpr int SLOTS = 512;

// One call that the server waits for, answers, and waits for again.
struct Served {
    grpc::ServerContext context;
    bench::Text text;
    grpc::ServerAsyncResponseWriter<bench::Text> writer{&context};
    bool answered = false;
};

void expect(bench::Echo::AsyncService *service, grpc::ServerCompletionQueue *queue)
{
    auto *call = new Served;
    service->RequestEcho(&call->context, &call->text, &call->writer, queue, queue, call);
}

void serve(int port_pipe)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    bench::Echo::AsyncService service;
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service);
    auto queue = builder.AddCompletionQueue();
    auto server = builder.BuildAndStart();
    if (!server || write(port_pipe, &port, sizeof(port)) != sizeof(port))
        exit(1);
    for (int i = 0; i < SLOTS; i++)
        expect(&service, queue.get());
    void *tag;
    bool ok;
    while (queue->Next(&tag, &ok)) {
        auto *call = static_cast<Served *>(tag);
        if (!ok || call->answered) {
            delete call;
            continue;
        }
        expect(&service, queue.get());
        call->answered = true;
        call->writer.Finish(call->text, grpc::Status::OK, call);
    }
}

// One call of the client, in flight until its answer has come.
struct Asked {
    grpc::ClientContext context;
    bench::Text reply;
    grpc::Status status;
    std::unique_ptr<grpc::ClientAsyncResponseReader<bench::Text>> reader;
};

void ask(bench::Echo::Stub *stub, const bench::Text &text, grpc::CompletionQueue *queue)
{
    auto *call = new Asked;
    call->reader = stub->AsyncEcho(&call->context, text, queue);
    call->reader->Finish(&call->reply, &call->status, call);
}

void measure(bench::Echo::Stub *stub, const bench::Text &text, int in_flight, double seconds)
{
    grpc::CompletionQueue queue;
    auto start = Clock::now();
    auto until = start + std::chrono::duration<double>(seconds);
    long done = 0, failed = 0;
    int open = in_flight;
    for (int i = 0; i < in_flight; i++)
        ask(stub, text, &queue);
    void *tag;
    bool ok;
    while (open > 0 && queue.Next(&tag, &ok)) {
        auto *call = static_cast<Asked *>(tag);
        (call->status.ok() ? done : failed)++;
        delete call;
        if (Clock::now() < until)
            ask(stub, text, &queue);
        else
            open--;
    }
    double took = std::chrono::duration<double>(Clock::now() - start).count();
    printf("%4d in flight: %9.0f round trips/s, %ld failed\n", in_flight,
           static_cast<double>(done) / took, failed);
    fflush(stdout);
    queue.Shutdown();
    while (queue.Next(&tag, &ok)) {
    }
}

} // namespace

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? atof(argv[1]) : 2;
    int ports[2], port;
    if (seconds <= 0 || pipe(ports) != 0)
        return 2;
    pid_t child = fork(); // before gRPC starts threads
    if (child == 0)
        serve(ports[1]);
    if (read(ports[0], &port, sizeof(port)) != sizeof(port))
        return 1;
    auto channel = grpc::CreateChannel("127.0.0.1:" + std::to_string(port),
                                       grpc::InsecureChannelCredentials());
    auto stub = bench::Echo::NewStub(channel);
    bench::Text text;
    text.set_value(std::string(PAYLOAD, 'x'));
    bool connected = channel->WaitForConnected(std::chrono::system_clock::now() +
                                               std::chrono::seconds(5));
    for (int in_flight : {1, 64, 256})
        if (connected)
            measure(stub.get(), text, in_flight, seconds);
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    return connected ? 0 : 1;
}
