"""Apache Kafka as its jars from Maven Central, with the SLF4J binding it needs to log at all, and a formatted storage folder.

That binding is of the log4j-core that Kafka's own dependencies bring.

Formatting starts a Java machine for a second; the result does not depend on ports, so each mesh copies it instead.
"""

from pathlib import Path

from localmesh.fetch import jars, java, maven
from localmesh.fetch.once import once, run

CLUSTER_ID = "ZmlubWVzaC1sb2NhbC0wMQ"

LOG4J_XML = """<Configuration status="WARN">
  <Appenders><Console name="console"><PatternLayout pattern="%d{ISO8601} %-5p %c{1} %m%n"/></Console></Appenders>
  <Loggers>
    <Root level="WARN"><AppenderRef ref="console"/></Root>
    <Logger name="kafka.server.KafkaRaftServer" level="INFO"/>
  </Loggers>
</Configuration>
"""

FORMAT_PROPERTIES = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:9093
listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093
controller.listener.names=CONTROLLER
log.dirs=formatted
"""


def fetch(stack: Path) -> Path:
    """Folder with `*.jar`, `log4j2.xml` and `formatted/`, the empty storage of node 1."""
    return once(stack / f"kafka-{jars.version('kafka', 'kafka_2.13')}", lambda folder: _build(folder, java.fetch(stack)))


def _build(folder: Path, program: Path) -> None:
    maven.download("kafka", folder)
    (folder / "log4j2.xml").write_text(LOG4J_XML)
    (folder / "format.properties").write_text(FORMAT_PROPERTIES)
    run([str(program), "-cp", f"{folder}/*", "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", "format.properties"], folder)
