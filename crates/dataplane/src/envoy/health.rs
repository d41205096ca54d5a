//! A question of gRPC's health protocol, for who has no other program to ask with. The messages are small enough to be
//! written by hand: a name goes (`HealthCheckRequest.service`, field 1), a number comes (`HealthCheckResponse.status`).

use std::io;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use super::EnvoyAddress;

/// What one who answers Envoys says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It judges.
    Serving,
    /// It is there, and does not judge yet or any more.
    NotServing,
}

/// Asks one who answers Envoys without TLS for its health, within a time.
///
/// # Errors
/// Where nobody is there, or where what is there does not know the question.
pub async fn ask_health(address: &EnvoyAddress, time: Duration) -> io::Result<Health> {
    let asked = async {
        match address {
            EnvoyAddress::Tcp(address) => ask(TcpStream::connect(address).await?).await,
            EnvoyAddress::Unix(path) => ask(UnixStream::connect(path).await?).await,
        }
    };
    tokio::time::timeout(time, asked).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn ask<S: AsyncRead + AsyncWrite + Unpin>(stream: S) -> io::Result<Health> {
    let (client, connection) = h2::client::handshake(stream).await.map_err(io::Error::other)?;
    let asked = async {
        let mut client = client.ready().await.map_err(io::Error::other)?;
        let request = http::Request::post("http://localhost/grpc.health.v1.Health/Check")
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(())
            .map_err(io::Error::other)?;
        let (response, mut body) = client.send_request(request, false).map_err(io::Error::other)?;
        // A frame of no bytes: the question for all services.
        body.send_data(Bytes::from_static(&[0; 5]), true).map_err(io::Error::other)?;
        let mut response = response.await.map_err(io::Error::other)?.into_body();
        let mut answer = Vec::new();
        while let Some(data) = response.data().await {
            let data = data.map_err(io::Error::other)?;
            response.flow_control().release_capacity(data.len()).map_err(io::Error::other)?;
            answer.extend_from_slice(&data);
            if answer.len() > ANSWER_BYTES_MAX {
                break;
            }
        }
        io::Result::Ok(answer)
    };
    let answer = tokio::select! {
        answer = asked => answer?,
        _ = connection => return Err(io::ErrorKind::UnexpectedEof.into()),
    };
    match answer.as_slice() {
        [0, 0, 0, 0, 2, STATUS, SERVING] => Ok(Health::Serving),
        [0, 0, 0, 0, 2, STATUS, _] | [0, 0, 0, 0, 0] => Ok(Health::NotServing),
        _ => {
            Err(io::Error::new(io::ErrorKind::InvalidData, "the answer is not one of gRPC's health service"))
        }
    }
}

/// Field 1, a number.
const STATUS: u8 = 0x08;
const SERVING: u8 = 1;
/// An answer has seven.
const ANSWER_BYTES_MAX: usize = 64;
