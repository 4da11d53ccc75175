// The postback handler with AWS's SDK and Powertools: parse, verify, credit once.
import { createHash, timingSafeEqual } from 'node:crypto';
import { IdempotencyConfig, makeIdempotent } from '@aws-lambda-powertools/idempotency';
import { DynamoDBPersistenceLayer } from '@aws-lambda-powertools/idempotency/dynamodb';
import { getSecret } from '@aws-lambda-powertools/parameters/secrets';
import { DynamoDBClient, TransactWriteItemsCommand } from '@aws-sdk/client-dynamodb';

const table = process.env.TABLE_NAME;
const dynamodb = new DynamoDBClient({});
const persistenceStore = new DynamoDBPersistenceLayer({ tableName: table, keyAttr: 'transaction_id' });
const config = new IdempotencyConfig({ eventKeyJmesPath: '[wallet_type, transaction_id]', expiresAfterSeconds: 86_400 });

export const handler = async (event, context) => {
  const secrets = await getSecret(process.env.SECRET_ID, { transform: 'json', maxAge: 300 });
  if (!equal(event.pathParameters.token, secrets.postback_token)) return answer(404, { code: 'not_found' });
  const postback = JSON.parse(event.body);
  if (!isSigned(postback, secrets)) return answer(401, { code: 'bad_signature' });
  config.registerLambdaContext(context);
  for (const element of postback.additional_data) await credit(element, postback);
  return answer(200, { status: 'ok' });
};

const isSigned = (postback, secrets) => {
  const digest = createHash('md5').update(JSON.stringify(postback.additional_data)).digest('hex');
  const text = secrets.access_key + secrets.postback_private_key + digest;
  const expected = createHash('sha1').update(text).digest('hex');
  return postback.access_key === secrets.access_key && equal(expected, postback.signature);
};

const equal = (one, other) => one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other));

const credit = makeIdempotent(
  async (element, postback) => {
    const payment = `payment#${element.wallet_type}#${element.transaction_id}`;
    const command = new TransactWriteItemsCommand({
      TransactItems: [
        {
          Put: {
            TableName: table,
            Item: {
              transaction_id: { S: payment },
              version: { N: '1' },
              state: { S: 'credited' },
              order: { S: element.plugin_custom_order_id },
              amount: { S: element.amount },
              currency_code: { S: element.currency_code },
              additional_data: { S: JSON.stringify(postback.additional_data) },
              signature: { S: postback.signature },
            },
            ConditionExpression: 'attribute_not_exists(transaction_id)',
          },
        },
        {
          Update: {
            TableName: table,
            Key: { transaction_id: { S: `deposit#${element.plugin_custom_order_id}` } },
            UpdateExpression: 'SET #state = :credited, credited = list_append(credited, :credit)',
            ConditionExpression: 'label = :label AND currency_code = :currency_code',
            ExpressionAttributeNames: { '#state': 'state' },
            ExpressionAttributeValues: {
              ':credited': { S: 'credited' },
              ':credit': { L: [{ S: payment }] },
              ':label': { S: postback.label },
              ':currency_code': { S: element.currency_code },
            },
          },
        },
      ],
    });
    await dynamodb.send(command);
    return { credited: payment };
  },
  { persistenceStore, config, dataIndexArgument: 0 },
);

const answer = (statusCode, body) => ({
  statusCode,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});
